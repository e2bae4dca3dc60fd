"""References in scripts are judged by Bash itself: the value must arrive as one word, unchanged."""

import os
import subprocess

import pytest

from mlspec.analysis.texts import Scope, resolve_script
from mlspec.expr.references import find_references
from mlspec.expr.shell import Context, contexts_at
from mlspec.ir.values import Namespace
from mlspec.source import NOWHERE

VALUE = "a  *b'c\"d $(touch pwned) `id` \\ ;|&<> #x"

SCOPE = Scope(owner="step `s`", names={Namespace.PARAMS: ("x",)})

ONE_WORD = [
    "printf '<%s>' ${params.x}",
    'printf "<%s>" "${params.x}"',
    'printf "<%s>" "pre-${params.x}-post" | sed "s/pre-//; s/-post//"',
    (
        "printf '<%s>' $(printf '%s' ${params.x} | base64 -w0 | base64 -d | { IFS= read -r l; echo ok; })"
        " >/dev/null; printf '<%s>' ${params.x}"
    ),
    'printf "<%s>" "$(printf %s ${params.x})"',
    'printf "<%s>" "$(case y in x) echo no;; y) printf %s ${params.x};; esac)"',
    'printf "<%s>" "`printf %s ${params.x}`"',
    "v=${params.x}; printf '<%s>' \"$v\"",
    'printf "<%s>" "${UNSET_VARIABLE:-${params.x}}"',
    "printf '<%s>' ${UNSET_VARIABLE:-${params.x}}",
    "printf '<%s>' \"$(cat <<END\n${params.x}\nEND\n)\"",
    "printf '<%s>' \"$(cat <<-END\n\t${params.x}\n\tEND\n)\"",
    "IFS= read -r v <<<${params.x}; printf '<%s>' \"$v\"",
    "# a comment with ' and ${params.x}\nprintf '<%s>' ${params.x}",
    "echo it\\'s >/dev/null; printf '<%s>' ${params.x}",
    "echo $'don\\'t' >/dev/null; printf '<%s>' ${params.x}",
    "f() { printf '<%s>' \"$1\"; }; f ${params.x}",
    "for v in ${params.x}; do printf '<%s>' \"$v\"; done",
    "[[ ${params.x} == *touch* ]] && printf '<%s>' ${params.x}",
    "case ${params.x} in a*) printf '<%s>' ${params.x};; esac",
    "cat >/dev/null <<'RAW'\n$( ' \" unbalanced\nRAW\nprintf '<%s>' ${params.x}",
    "(printf '<%s>' ${params.x})",
    "{ printf '<%s>' ${params.x}; } 2>&1",
    "printf '<%s>' a#b >/dev/null; printf '<%s>' ${params.x}",
]


@pytest.mark.parametrize("script", ONE_WORD)
def test_resolve_script__value_arrives_as_one_unchanged_word(script, tmp_path):
    found = []
    lowered = resolve_script(script, NOWHERE, SCOPE, found)
    assert found == []
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lowered.text],
        env={"PATH": os.environ["PATH"], "MLSPEC_PARAMS_X": VALUE},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert ran.stdout == f"<{VALUE}>", ran.stderr
    assert not (tmp_path / "pwned").exists()


def test_resolve_script__arithmetic(tmp_path):
    lowered = resolve_script("echo $(( ${params.x} * 2 ))", NOWHERE, SCOPE, [])
    ran = subprocess.run(
        ["bash", "-c", lowered.text],
        env={"PATH": os.environ["PATH"], "MLSPEC_PARAMS_X": "21"},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert ran.stdout == "42\n"


@pytest.mark.parametrize(
    "script",
    [
        "echo '${params.x}'",
        "echo $'${params.x}'",
        "cat <<'END'\n${params.x}\nEND",
        "cat <<\\END\n${params.x}\nEND",
        'cat <<"END"\n${params.x}\nEND',
    ],
)
def test_resolve_script__refused_where_nothing_expands(script):
    found = []
    resolve_script(script, NOWHERE, SCOPE, found)
    assert [d.code.id for d in found] == ["ML046"]


@pytest.mark.parametrize("script", ["echo $HOME ${HOME} ${V:-a.b} {{ x }} ${{ a.b }} $(x) `y`"])
def test_resolve_script__everything_else_passes_through(script):
    found = []
    assert resolve_script(script, NOWHERE, SCOPE, found).text == script
    assert found == []


def test_contexts_at__comment_is_left_alone():
    script = "echo a # ${params.x}\necho b"
    (reference,) = find_references(script)
    assert contexts_at(script, frozenset([reference.start])) == {reference.start: Context.COMMENT}
