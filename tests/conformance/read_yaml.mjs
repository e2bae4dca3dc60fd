// Reads a JSON list of YAML texts from standard input; prints what each reader makes of each.
// Argument: the folder that holds node_modules.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const load = createRequire(join(process.argv[2], "package.json"));
const yaml = load("yaml");
const jsYaml = load("js-yaml");

const readers = {
  "yaml 1.1": (text) => yaml.parse(text, { version: "1.1", strict: true }),
  "yaml 1.2": (text) => yaml.parse(text, { version: "1.2", strict: true }),
  "js-yaml": (text) => jsYaml.load(text),
};
const texts = JSON.parse(readFileSync(0, "utf-8"));
const results = texts.map((text) =>
  Object.fromEntries(
    Object.entries(readers).map(([name, read]) => {
      try {
        return [name, { value: read(text) }];
      } catch (error) {
        return [name, { error: String(error.message) }];
      }
    }),
  ),
);
process.stdout.write(JSON.stringify(results));
