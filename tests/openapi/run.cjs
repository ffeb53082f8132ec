// Runs the compiled purchase: node run.cjs COMPILED MARKET, the latter as JSON.
const { execFileSync } = require("node:child_process");
const path = require("node:path");

const [compiled, json] = process.argv.slice(2);
const { command, ...market } = JSON.parse(json);
market.token = (identifier) => execFileSync(command[0], [...command.slice(1), "--user", identifier], { encoding: "utf8" }).trim();
require(path.resolve(compiled))
  .purchase(market)
  .then(console.log, (err) => {
    console.error(err);
    process.exitCode = 1;
  });
