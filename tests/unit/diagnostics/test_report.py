from mlspec.diagnostics.model import Code, Diagnostic, Fix, Label, RawPlace, Severity
from mlspec.diagnostics.report import Report, ResolvedPlace, build_report, route_text
from mlspec.source import Origin, Position, SourceFile, Span

ERROR = Code("ML020", "unknown-key", "a key")
WARNING = Code("ML052", "path-missing", "a path", Severity.WARNING)
GUARDED = Code("ML602", "flow", "a flow", Severity.WARNING)


def report_on(text: str, *found: Diagnostic, cap: int = 50, file: str = "mlspec.yaml") -> Report:
    """Report on one file; a place's route or span says which text it means."""
    source = SourceFile(file, text)

    def resolve(place):
        match place:
            case RawPlace(span=span):
                return ResolvedPlace(file=source, span=span)
            case Origin(route=(str(word),)) if word in text:
                start = text.index(word)
                return ResolvedPlace(file=source, span=Span(start, start + len(word)))
        return None

    return build_report(found, resolve, cap=cap)


def at(word: str) -> Origin:
    return Origin("mlspec.yaml", (word,))


def test_route_text__plain_and_odd_keys():
    assert route_text(()) == ""
    assert route_text(("pipelines", "p", "steps", 0, "run")) == "pipelines.p.steps[0].run"
    assert route_text(("env", "a.b", "ü")) == 'env["a.b"]["ü"]'
    assert route_text(("a b",)) == '["a b"]'


def test_build_report__sorts_by_line_column_code():
    text = "a b\nc d\n"
    found = [
        Diagnostic(code=code, message=word, at=at(word))
        for code, word in ((ERROR, "d"), (WARNING, "c"), (ERROR, "c"), (ERROR, "a"))
    ]
    report = report_on(text, *found, Diagnostic(code=ERROR, message="nowhere"))
    assert [(one.message, one.code) for one in report.diagnostics] == [
        ("nowhere", "ML020"),
        ("a", "ML020"),
        ("c", "ML020"),
        ("c", "ML052"),
        ("d", "ML020"),
    ]
    assert (report.errors, report.warnings, report.notes, report.files) == (4, 1, 0, 1)
    assert not report.valid


def test_build_report__exact_duplicates_count_once():
    one = Diagnostic(code=ERROR, message="x", at=at("a"))
    report = report_on("a\n", one, one)
    assert report.errors == len(report.diagnostics) == 1


def test_build_report__caps_each_file_and_keeps_errors():
    text = "a\n" * 30
    found = [
        Diagnostic(code=WARNING, message=str(n), at=RawPlace("mlspec.yaml", Span(2 * n, 2 * n + 1)))
        for n in range(29)
    ]
    last = Diagnostic(code=ERROR, message="e", at=RawPlace("mlspec.yaml", Span(58, 59)))
    report = report_on(text, *found, last, cap=5)
    assert [one.message for one in report.diagnostics] == ["0", "1", "2", "3", "e"]
    assert report.hidden == (("mlspec.yaml", 25),)
    assert (report.errors, report.warnings) == (1, 29)


def test_build_report__end_at_line_start_moves_before_the_break():
    report = report_on(
        "ab\ncd\n", Diagnostic(code=ERROR, message="x", at=RawPlace("f", Span(0, 3)))
    )
    place = report.diagnostics[0].primary
    assert place is not None
    assert (place.start, place.end) == (Position(1, 1), Position(1, 3))


def test_build_report__span_past_the_end_is_clamped():
    report = report_on("ab", Diagnostic(code=ERROR, message="x", at=RawPlace("f", Span(5, 9))))
    place = report.diagnostics[0].primary
    assert place is not None
    assert place.start == place.end == Position(1, 3)


def test_build_report__long_span_keeps_first_lines_and_last():
    text = "\n".join("abcdefghij")
    report = report_on(
        text, Diagnostic(code=ERROR, message="x", at=RawPlace("f", Span(0, len(text))))
    )
    place = report.diagnostics[0].primary
    assert place is not None
    assert place.lines == ((1, "a"), (2, "b"), (3, "c"), (4, "d"), (10, "j"))


def test_build_report__sensitive_line_is_masked_for_everyone():
    text = "env:\n  PASSWORD: hunter2\n  other: 1\n"
    value = RawPlace("f", Span(17, 24))
    report = report_on(
        text,
        Diagnostic(code=ERROR, message="secret", at=at("PASSWORD"), sensitive=True),
        Diagnostic(code=ERROR, message="b", at=value, labels=(Label(value, "x"),)),
        Diagnostic(
            code=ERROR,
            message="c",
            at=RawPlace("f", Span(0, len(text))),
            fixes=(Fix("t", value, "u"),),
        ),
    )
    assert "hunter2" not in repr(report)
    assert "  PASSWORD: ********" in repr(report)


def test_build_report__sensitive_block_is_masked_whole():
    text = "key: |\n  line one\n  line two\nnext: 1\n"
    report = report_on(
        text,
        Diagnostic(code=ERROR, message="s", at=RawPlace("f", Span(5, 28)), sensitive=True),
    )
    assert report.diagnostics[0].primary is not None
    assert report.diagnostics[0].primary.lines == (
        (1, "key: ********"),
        (2, "  ********"),
        (3, "  ********"),
    )


def test_build_report__sensitive_sequence_item_and_flow_are_masked():
    for text in ("  - hunter2\n", "{a: hunter2}\n", "hunter2\n", '"a": hunter2\n'):
        report = report_on(
            text, Diagnostic(code=ERROR, message="s", at=at("hunter2"), sensitive=True)
        )
        assert "hunter2" not in repr(report.diagnostics[0].primary)


def test_build_report__unresolved_places_lose_no_words():
    found = Diagnostic(
        code=ERROR,
        message="m",
        at=at("gone"),
        labels=(Label(at("gone"), "because"),),
        fixes=(Fix("do this", at("gone"), ""),),
    )
    (one,) = report_on("a\n", found).diagnostics
    assert one.primary is None
    assert one.path == "gone"
    assert one.notes == ("because",)
    assert one.help == ("do this",)


def test_build_report__comment_ignores_warning_on_its_line():
    text = "a: x # mlspec: ignore[ML052, unknown-key]\nb: x\n"
    report = report_on(
        text,
        Diagnostic(code=WARNING, message="w", at=at("a")),
        Diagnostic(code=WARNING, message="v", at=at("b")),
        Diagnostic(code=ERROR, message="e", at=at("a")),
    )
    assert [one.message for one in report.diagnostics] == ["e", "v"]


def test_build_report__comment_cannot_ignore_guarded_codes():
    text = "a: x # mlspec: ignore[ML602]\n"
    report = report_on(text, Diagnostic(code=GUARDED, message="w", at=at("a")))
    assert report.warnings == 1
