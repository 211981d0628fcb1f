import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Writes the Worker's log to a file, and hands its errors and warnings to `show`, line by line. */
export function openRelayLog(file: string, show: (line: string) => void): (piece: string) => void {
  mkdirSync(dirname(file), { recursive: true });
  const stream = createWriteStream(file, { flags: "a" });
  let rest = "";
  let showing = false;
  return (piece) => {
    stream.write(piece);
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      showing = startsProblem(line) || (showing && !endsProblem(line));
      if (showing) show(line);
    }
  };
}

// Wrangler prints a problem as a block up to an empty line or its next message.
function startsProblem(line: string): boolean {
  // That nothing fires the cron does not hold here.
  return (
    /^(\S+ \[(ERROR|WARNING)\]|\[wrangler:(error|warn)\])/.test(line) && !line.includes("Scheduled Workers")
  );
}

function endsProblem(line: string): boolean {
  return line.trim() === "" || line.startsWith("[wrangler:") || /^\S+ \[WARNING\]/.test(line);
}
