// Holds grammars against an oracle: for every schema of the JSON-Schema-Test-Suite (from PyPI, inside
// jsonschema's source) and of SchemaStore (npm), answers chosen at random under the masks must be valid
// by ajv, and of the suite's own instances no invalid one may be accepted. Packages go to FOLDER; nothing of
// them is kept here. Exit status 1 where an answer was invalid.
//   cmake --build build --target grammar_walk
//   node tests/grammar/measure.mjs FOLDER build/bin/grammar_walk [suite|store] [answers per schema] [vocabulary]
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

const [folder, walk, what = "suite", answers = "20", vocabulary = "smollm2"] = process.argv.slice(2);
if (!walk) {
  console.error("usage: measure.mjs FOLDER GRAMMAR_WALK [suite|store] [answers per schema] [vocabulary]");
  process.exit(2);
}
const PACKAGES = ["ajv@8.20.0", "ajv-formats@3.0.1", "ajv-draft-04@1.0.0", "schemastore@0.2.2"];
const SUITE = "jsonschema==4.25.1";
const DRAFTS = {
  draft4: "http://json-schema.org/draft-04/schema#",
  draft6: "http://json-schema.org/draft-06/schema#",
  draft7: "http://json-schema.org/draft-07/schema#",
  "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
  "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
};

function install() {
  fs.mkdirSync(folder, { recursive: true });
  if (!fs.existsSync(path.join(folder, "node_modules", "ajv-draft-04"))) {
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefix", folder, ...PACKAGES], { stdio: "inherit" });
  }
  const source = path.join(folder, "suite");
  if (!fs.existsSync(source)) {
    fs.mkdirSync(source);
    const pip = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", SUITE, "-d", source];
    execFileSync("python3", pip, { stdio: "inherit" });
    const archive = fs.readdirSync(source).find((name) => name.endsWith(".tar.gz"));
    execFileSync("tar", ["xf", archive, "--strip-components=1"], { cwd: source });
  }
}

const files = (at) =>
  fs.readdirSync(at, { withFileTypes: true }).flatMap((entry) => {
    const inner = path.join(at, entry.name);
    if (entry.isDirectory()) return files(inner);
    return entry.name.endsWith(".json") ? [inner] : [];
  });

// Of the optional tests, those that ask for more than JSON Schema: that 1.0 is no integer, and that
// contentEncoding or a format that is not known is an assertion.
const ENFORCED = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"];
const REMARK = `optional.format.(?!(${ENFORCED.join("|")}|unknown)\\.json)`;
const LEFT_OUT = new RegExp(`zeroTerminatedFloats\\.json|optional.content\\.json|${REMARK}`);

// Cases: {name, schema, tests: [{data, valid}]}.
function* suiteCases() {
  const root = path.join(folder, "suite", "json", "tests");
  for (const [draft, uri] of Object.entries(DRAFTS)) {
    for (const file of files(path.join(root, draft)).filter((name) => !LEFT_OUT.test(name))) {
      for (const { description, schema, tests } of JSON.parse(fs.readFileSync(file, "utf8"))) {
        const plain = schema !== null && typeof schema === "object" && !("$schema" in schema);
        const name = `${path.relative(root, file)}: ${description}`;
        yield { name, schema: plain ? { $schema: uri, ...schema } : schema, tests };
      }
    }
  }
}

function* storeCases() {
  for (const file of files(path.join(folder, "node_modules", "schemastore", "schemas"))) {
    const text = fs.readFileSync(file, "utf8");
    try {
      yield { name: path.basename(file), schema: JSON.parse(text), tests: [] };
    } catch {
      continue; // not JSON
    }
  }
}

function oracles() {
  const require = createRequire(path.join(path.resolve(folder), "x.js"));
  // A number may be larger than a double holds; divisions are of doubles.
  const options = {
    strict: false, strictNumbers: false, logger: false, multipleOfPrecision: 6, validateSchema: false, ownProperties: true,
  };
  const formats = require("ajv-formats");
  const classes = {
    4: require("ajv-draft-04"),
    7: require("ajv").default,
    2019: require("ajv/dist/2019").default,
    2020: require("ajv/dist/2020").default,
  };
  return (schema) => {
    const uri = (schema && schema.$schema) || "2020-12";
    const draft = uri.includes("draft-04") ? 4 : uri.includes("2019") ? 2019 : uri.includes("2020") ? 2020 : 7;
    const compile = (unicodeRegExp) => {
      const ajv = new (classes[draft].default ?? classes[draft])({ ...options, unicodeRegExp });
      formats(ajv, ENFORCED); // others are remarks, to ajv too
      if (draft === 7) ajv.addMetaSchema(require("ajv/dist/refs/json-schema-draft-06.json"));
      return ajv.compile(schema);
    };
    try {
      return compile(true);
    } catch (error) {
      if (!/regular expression/.test(error.message)) throw error;
      return compile(false); // "[\\w-.]" is a class outside Unicode mode alone
    }
  };
}

const bump = (counts, key, by = 1) => (counts[key] = (counts[key] ?? 0) + by);

function judge(test, out, oracle, counts, bad) {
  bump(counts, "schemas");
  bump(counts, out.code === "ok" ? "compiled" : `refused: ${out.code}`);
  if (out.code !== "ok") return;
  test.tests.forEach(({ valid }, i) => {
    const key = `${valid ? "valid" : "invalid"} instances ${out.accepts[i] ? "accepted" : "refused"}`;
    bump(counts, key);
    if (!valid && out.accepts[i]) bad.push([test.name, "accepted", JSON.stringify(test.tests[i].data)]);
    if (valid && !out.accepts[i] && process.env.VERBOSE) bad.note.push([test.name, "refused", JSON.stringify(test.tests[i].data)]);
  });
  bump(counts, "unfinished answers", out.unfinished);
  bump(counts, "answers ended by an error", out.errors.length);
  for (const error of out.errors) (error.startsWith("not UTF-8") ? bad : bad.note).push([test.name, error]);
  let validate;
  try {
    validate = oracle(test.schema);
  } catch (error) {
    bump(counts, "compiled, but not by ajv");
    bad.note.push([test.name, `ajv: ${error.message}`]);
    return;
  }
  for (const text of out.outputs) {
    let valid = false;
    try {
      valid = validate(JSON.parse(text));
    } catch (error) {
      validate.errors = [{ message: error.message }];
    }
    bump(counts, valid ? "answers valid" : "answers INVALID");
    if (!valid) bad.push([test.name, JSON.stringify(text.slice(0, 200)), JSON.stringify(validate.errors?.[0])]);
  }
}

async function main() {
  install();
  const oracle = oracles();
  const cases = [...(what === "store" ? storeCases() : suiteCases())];
  const child = spawn(walk, [vocabulary], { stdio: ["pipe", "pipe", "inherit"] });
  const counts = {};
  const bad = [];
  const compileTimes = [];
  bad.note = [];
  const done = (async () => {
    let i = 0;
    for await (const line of readline.createInterface({ input: child.stdout })) {
      const out = JSON.parse(line);
      compileTimes.push(out.compile_us);
      if (process.env.VERBOSE && out.code !== "ok") console.log(cases[i].name, "|", out.error);
      judge(cases[i++], out, oracle, counts, bad);
    }
    if (i < cases.length) bad.push([cases[i].name, `the program ended here, ${i} of ${cases.length}`]);
  })();
  for (const { schema, tests } of cases) {
    const accept = tests.map(({ data }) => JSON.stringify(data));
    const line = { kind: "json_schema", text: JSON.stringify(schema), n: Number(answers), accept };
    if (!child.stdin.write(JSON.stringify(line) + "\n")) await new Promise((go) => child.stdin.once("drain", go));
  }
  child.stdin.end();
  await done;
  for (const line of bad.note) console.log("note:", line.join(" | "));
  for (const line of bad) console.log("BAD:", line.join(" | "));
  for (const key of Object.keys(counts).sort()) console.log(key.padEnd(36), counts[key]);
  compileTimes.sort((a, b) => a - b);
  const at = (share) => (compileTimes[Math.floor(share * (compileTimes.length - 1))] / 1000).toFixed(1);
  console.log(`compile, ms: p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(1)}`);
  process.exitCode = bad.length > 0 ? 1 : 0;
}

await main();
