// Runs a WebAssembly program made for WASI, with this environment and the whole file system.
// usage: node --no-warnings run_wasi.mjs PROGRAM.wasm [ARGUMENT...]
import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { WASI } from "node:wasi";

// Compiled code's short way into node:wasi goes on using memory that has been moved (nodejs/node issue 53087): once
// memory had grown, node crashed.
setFlagsFromString("--no-turbo-fast-api-calls");

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node --no-warnings run_wasi.mjs PROGRAM.wasm [ARGUMENT...]");
  process.exit(2);
}
const wasi = new WASI({
  version: "preview1",
  args: [program, ...args],
  env: process.env,
  preopens: { "/": "/" },
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, {
  wasi_snapshot_preview1: wasi.wasiImport,
});
process.exitCode = wasi.start(instance);
