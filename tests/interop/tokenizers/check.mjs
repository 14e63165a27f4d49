// Compares ids: node check.mjs tokenizer.json lines.jsonl ids.jsonl
// lines.jsonl holds a JSON string a line, ids.jsonl the JSON list of ids Flambeau gives it. Exits 1 where any differ.
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const [tokenizerFile, linesFile, idsFile] = process.argv.slice(2);
if (!idsFile) {
  console.error("usage: node check.mjs tokenizer.json lines.jsonl ids.jsonl");
  process.exit(2);
}

const readJsonLines = (file) => readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
const tokenizer = new Tokenizer(JSON.parse(readFileSync(tokenizerFile, "utf8")), { clean_up_tokenization_spaces: false });
const lines = readJsonLines(linesFile);
const ours = readJsonLines(idsFile);
if (lines.length !== ours.length) {
  console.error(`${linesFile} has ${lines.length} lines, ${idsFile} has ${ours.length}`);
  process.exit(2);
}

let different = 0, undecoded = 0, ids = 0;
lines.forEach((line, at) => {
  const theirs = tokenizer.encode(line).ids;
  ids += theirs.length;
  if (JSON.stringify(theirs) !== JSON.stringify(ours[at])) {
    if (++different <= 10) console.log(`line ${at + 1} ${JSON.stringify(line).slice(0, 200)}\n  theirs ${theirs.slice(0, 40)}\n  ours   ${ours[at].slice(0, 40)}`);
  }
  if (theirs.length > 0 && tokenizer.decode(ours[at]) !== line.toWellFormed()) undecoded++;
});
console.log(`${lines.length} lines, ${ids} ids: ${different} encoded differently, ${undecoded} decoded differently`);
process.exit(different + undecoded > 0 ? 1 : 0);
