import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

const SHOWN_CHARACTERS = 300;

/** Writes the Worker's log to a file, and hands its errors and warnings to `show`, line by line. */
export function openRelayLog(file: string, show: (line: string) => void): (piece: string) => void {
  mkdirSync(dirname(file), { recursive: true });
  const stream = createWriteStream(file, { flags: "a" });
  let rest = "";
  let showing = false;
  let emptyLines = 0;
  return (piece) => {
    stream.write(piece);
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      emptyLines = line.trim() === "" ? emptyLines + 1 : 0;
      // Wrangler prints a problem as a block that ends with two empty lines or with its next message.
      if (emptyLines === 2) showing = false;
      else if (isMessage(line)) showing = isProblem(line);
      if (showing && emptyLines === 0) show(line.slice(0, SHOWN_CHARACTERS));
    }
  };
}

function isMessage(line: string): boolean {
  return /^(\S \[[A-Z]+\]|\[wrangler:\w+\])/.test(line);
}

function isProblem(line: string): boolean {
  // That nothing fires the cron does not hold here.
  return /\[(ERROR|WARNING|wrangler:error|wrangler:warn)\]/.test(line) && !line.includes("Scheduled Workers");
}
