import { raw } from "hono/html";
import MarkdownIt from "markdown-it";
import { scanJson } from "../../domain/json-scan.ts";
import type { PreviewKind } from "./kind.ts";
import { type Table, tableOfJson, tableOfValues } from "./table.ts";

/** Beyond this a number would be another one once it was read and written again. */
const LONG_NUMBER = /\d{16}/;
/** What is set out is longer by its depth in every line. */
const MAX_SET_OUT_CHARS = 1_000_000;

/** HTML in it is escaped, and of addresses only those that a browser may open are kept. */
const MARKDOWN = new MarkdownIt({ html: false });

const STYLE = `
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif }
body { margin: 12px; overflow-wrap: anywhere }
pre { margin: 0; font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap }
img { max-width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { border: 1px solid #8884; padding: 2px 8px; text-align: left; vertical-align: top; white-space: pre-wrap }
th { position: sticky; top: 0; background: Canvas }
p.note { color: GrayText }`;

/** A file's text, or of an image its bytes. `note`: what of it is not shown. */
export type Shown =
  | { kind: Exclude<PreviewKind, "image">; text: string; note: string | null }
  | { kind: "image"; type: string; bytes: Uint8Array; note: null };

/**
 * A file as a document without script, without a way out, and without anything from elsewhere.
 * @param nonce by which the document's own style is known
 */
export async function previewDocument(title: string, shown: Shown, nonce: string): Promise<string> {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>{title}</title>
        <style nonce={nonce}>{raw(STYLE)}</style>
      </head>
      <body>
        {shown.note === null ? null : <p class="note">{shown.note}</p>}
        <Content title={title} shown={shown} />
      </body>
    </html>
  );
  return `<!doctype html>${await page.toString()}`;
}

function Content({ title, shown }: { title: string; shown: Shown }) {
  switch (shown.kind) {
    case "image":
      return <img alt={title} src={`data:${shown.type};base64,${shown.bytes.toBase64()}`} />;
    case "csv":
    case "tsv":
      return <Rows table={tableOfValues(shown.text, shown.kind === "csv" ? "," : "\t")} />;
    case "json":
      return <Json text={shown.text} />;
    case "markdown":
      return <main>{raw(MARKDOWN.render(shown.text))}</main>;
    case "text":
      return <pre>{shown.text}</pre>;
  }
}

function Json({ text }: { text: string }) {
  const value = parsed(text);
  const table = value === undefined ? null : tableOfJson(value);
  if (table) return <Rows table={table} />;
  const isSame = value === undefined || LONG_NUMBER.test(text);
  const setOut = isSame ? text : JSON.stringify(value, null, 2);
  return <pre>{setOut.length > MAX_SET_OUT_CHARS ? text : setOut}</pre>;
}

function Rows({ table: { columns, rows, isCut } }: { table: Table }) {
  return (
    <>
      {isCut ? <p class="note">There are more rows or columns than are shown here.</p> : null}
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th scope="col">{column}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              {row.map((cell) => (
                <td>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** Undefined where it is not JSON, or not all of it, or nests so deep that nothing could write it again. */
function parsed(text: string): unknown {
  try {
    return scanJson(text).deep.size > 0 ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
