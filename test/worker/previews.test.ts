import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { app } from "../../src/app.ts";
import { ADMIN, idOf, post } from "./api.ts";
import { recordingQueue } from "./job-tools.ts";

/** Files as people look at them: whatever a trainer sent, nothing of it may run or reach anybody. */

const queue = recordingQueue().queue;
const BINDINGS = { TRIALS: queue, JOBS: queue, FILES: queue, MLFLOW_TRACKING_URI: "http://127.0.0.1:9" };
const SCRIPT = "<script>alert(1)</script>";

let trial: string;
beforeAll(async () => {
  await post({ event: "ml.trial.start", model_run_id: "previews", trial_id: "t", spectral_norm: false });
  trial = await idOf("t");
});

async function ask(path: string, init: RequestInit = {}) {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${ADMIN}`);
  return app.request(
    `/api/trials/${trial}/${path}`,
    { ...init, headers },
    { ...env, ...BINDINGS },
    createExecutionContext(),
  );
}

async function shown(path: string, body: string | Uint8Array<ArrayBuffer>, type?: string) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const headers = { "content-length": String(bytes.length), ...(type ? { "content-type": type } : {}) };
  const put = await ask(`artifacts/${path}`, { method: "PUT", body: bytes, headers });
  expect(put.status).toBe(200);
  const answer = await ask(`previews/${path}`);
  return { status: answer.status, headers: answer.headers, html: await answer.text() };
}

test.each([
  ["notes.txt", SCRIPT],
  ["report.html", SCRIPT],
  ["a.json", JSON.stringify({ a: SCRIPT })],
  ["a.csv", `a,b\n${SCRIPT},"x,y"\n`],
  ["a.tsv", `a\t${SCRIPT}\n`],
  ["table.json", JSON.stringify({ columns: [SCRIPT], data: [[SCRIPT], [{ x: SCRIPT }]] })],
  ["a.md", `# ${SCRIPT}\n\n${SCRIPT}\n\n[x](javascript:alert(1)) ![y](x"onerror="alert(1))`],
  ["drawing.svg", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">${SCRIPT}</svg>`],
  ["MLmodel", `flavors: ${SCRIPT}`],
  [`${encodeURIComponent("<img src=x onerror=alert(1)>")}.txt`, "x"],
])("%s is a document that can do nothing", async (path, body) => {
  const { status, headers, html } = await shown(path, body);
  expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(headers.get("content-security-policy")).toMatch(
    /^sandbox; default-src 'none'; style-src 'nonce-[\w-]+'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'$/,
  );
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(html).not.toMatch(/<script|<svg|<iframe|"javascript:|<[^>]+ on\w+=/i);
});

describe("what is shown", () => {
  const cells = (html: string) => [...html.matchAll(/<t[hd]\b[^>]*>([^<]*)/g)].map(([, text]) => text);

  test("values between commas and tabs, and MLflow's tables, are tables", async () => {
    const asTable = ["a", "b", "1", "x,y"];
    expect(cells((await shown("t/a.csv", 'a,b\n1,"x,y"\n')).html)).toEqual(asTable);
    expect(cells((await shown("t/a.tsv", "a\tb\n1\tx,y\n")).html)).toEqual(asTable);
    const split = JSON.stringify({ columns: ["a", "b"], data: [[1, "x,y"]] });
    expect(cells((await shown("t/a.json", split)).html)).toEqual(asTable);
    expect(cells((await shown("t/given", 'a,b\n1,"x,y"\n', "text/csv")).html)).toEqual(asTable);
  });

  test("a table shows its first thousand rows, and says so", async () => {
    const rows = Array.from({ length: 1_500 }, (_, i) => `${i},x`).join("\n");
    const { html } = await shown("t/long.csv", `n,x\n${rows}\n`);
    expect(html.match(/<tr>/g)).toHaveLength(1_001);
    expect(html).toContain("more rows");
  });

  test.each([
    ["deep", "[".repeat(4_000) + "]".repeat(4_000)],
    ["deeper", "[".repeat(100_000) + "]".repeat(100_000)],
    ["a deep table", `{"columns":["a"],"data":[[${"[".repeat(100_000)}${"]".repeat(100_000)}]]}`],
    ["deep and wide", `${"[".repeat(90)}${"1,".repeat(100_000)}1${"]".repeat(90)}`],
  ])("JSON that is %s is shown as it is: set out it would be a hundred times as long", async (name, text) => {
    const { status, html } = await shown(`t/${name.replaceAll(" ", "-")}.json`, text);
    expect([status, html.includes(`<pre>${text.replaceAll('"', "&quot;")}</pre>`)]).toEqual([200, true]);
  });

  test("JSON is set out, but for numbers that would become others, and what is none as it is", async () => {
    expect((await shown("j/a.json", '{"a":[1,2]}')).html).toContain("{\n  &quot;a&quot;: [\n    1,");
    expect((await shown("j/b.json", '{"a":12345678901234567890}')).html).toContain("12345678901234567890");
    expect((await shown("j/c.json", '{"a":NaN')).html).toContain("{&quot;a&quot;:NaN");
  });

  test("Markdown is set out, with its tables", async () => {
    const { html } = await shown("m/a.md", "# Title\n\n|a|b|\n|-|-|\n|1|*2*|\n");
    expect(html).toContain("<h1>Title</h1>");
    expect(html).toContain("<td><em>2</em></td>");
  });

  test("an image is in the document itself, by the type that it was given", async () => {
    const { html } = await shown("i/a.png", new Uint8Array([1, 2, 3]));
    expect(html).toContain('<img alt="a.png" src="data:image/png;base64,AQID"');
  });

  test("of a long text the first 256 kB, and the document says so", async () => {
    const { html } = await shown("l/a.log", "x".repeat(1_000_000));
    expect(html.length).toBeLessThan(260_000);
    expect(html).toContain("The first 256 kB of 1,000,000 bytes");
  });

  test("Markdown that takes long to read is bounded", async () => {
    const { status, html } = await shown("l/a.md", "![".repeat(100_000));
    expect(status).toBe(200);
    expect(html).toContain("The first 64 kB of 200,000 bytes");
  });
});

test.each([
  ["weights.bin", "PK"],
  ["page.pdf", "%PDF"],
  ["huge.png", new Uint8Array(4_000_001)],
])("%s is not shown: it is downloaded", async (path, body) => {
  const { status, headers } = await shown(`n/${path}`, body);
  expect([status, headers.get("content-type")]).toEqual([415, "application/problem+json"]);
});

test.each(["..%2f..%2fsecrets.txt", "%252e%252e/x.txt", "a//b.txt", "a%5cb.txt"])(
  "%s is no file's path",
  async (path) => {
    expect((await ask(`previews/${path}`)).status).toBe(400);
  },
);

test("what is not there is a 404", async () => {
  expect((await ask("previews/nothing.txt")).status).toBe(404);
});
