import { describe, expect, test } from "vitest";
import { type CallKind, classify, type FailureKind, failed, unanswered } from "../../src/mlflow/failure.ts";

const NOW = Date.UTC(2026, 0, 1);
const WRITE: CallKind = { access: "write", target: "id" };
const READ: CallKind = { access: "read", target: "id" };
const BY_NAME: CallKind = { access: "read", target: "name" };
const RUN = "90261d88e958413591b642e59724757e";

function json(code: string, message: string): string {
  return JSON.stringify({ error_code: code, message, sqlstate: "KAM00", error_class: code });
}

function html(title: string): string {
  return `<!doctype html>\n<html lang=en>\n<title>${title}</title>\n<h1>${title}</h1>\n<p>Some &amp; explanation.</p>`;
}

function kindOf(call: CallKind, status: number, body: string): FailureKind {
  return classify(call, { status, headers: new Headers(), body }, NOW).kind;
}

const UNIQUE =
  "(raised as a result of Query-invoked autoflush)\n(sqlite3.IntegrityError) UNIQUE constraint failed: metrics.key, metrics.timestamp\n[SQL: INSERT INTO metrics";
const QUEUE_POOL = "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00";

describe("answers of MLflow's handlers", () => {
  test.each<[string, number, string, string, FailureKind]>([
    [
      "database away",
      503,
      "TEMPORARILY_UNAVAILABLE",
      "(sqlite3.OperationalError) database is locked",
      "transient",
    ],
    ["deadline", 504, "DEADLINE_EXCEEDED", "late", "transient"],
    ["internal", 500, "INTERNAL_ERROR", "boom", "transient"],
    ["rate limit", 429, "REQUEST_LIMIT_EXCEEDED", "slow down", "transient"],
    ["lost against another", 409, "ABORTED", "again", "transient"],
    ["overload", 400, "BAD_REQUEST", QUEUE_POOL, "transient"],
    ["SQLite duplicate", 400, "BAD_REQUEST", UNIQUE, "duplicate"],
    [
      "PostgreSQL duplicate",
      400,
      "BAD_REQUEST",
      '(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "metric_pk"\n[SQL: x',
      "duplicate",
    ],
    [
      "MySQL duplicate",
      400,
      "BAD_REQUEST",
      "(pymysql.err.IntegrityError) (1062, \"Duplicate entry 'x'\")",
      "duplicate",
    ],
    [
      "too long",
      400,
      "BAD_REQUEST",
      "(psycopg2.errors.StringDataRightTruncation) value too long for type character varying(250)\n[SQL: INSERT]",
      "invalid",
    ],
    [
      "caller's own words in the statement",
      400,
      "BAD_REQUEST",
      "(psycopg2.errors.StringDataRightTruncation) too long\n[SQL: INSERT]\n[parameters: ('UNIQUE constraint failed', 'QueuePool limit')]",
      "invalid",
    ],
    [
      "caller's own words in a key",
      400,
      "INVALID_PARAMETER_VALUE",
      "Invalid value \"QueuePool limit, The run x must be in the 'active' state\" for parameter 'name' supplied",
      "invalid",
    ],
    [
      "name taken",
      400,
      "RESOURCE_ALREADY_EXISTS",
      `Experiment(name=a) already exists. Error: ${UNIQUE}`,
      "exists",
    ],
    [
      "param changed",
      400,
      "INVALID_PARAMETER_VALUE",
      "Changing param values is not allowed. Param with key='p' was already logged with value='1'",
      "conflict",
    ],
    [
      "param changed, file store",
      500,
      "INTERNAL_ERROR",
      "Changing param values is not allowed. Param",
      "conflict",
    ],
    [
      "run deleted",
      400,
      "INVALID_PARAMETER_VALUE",
      `The run ${RUN} must be in the 'active' state. Current state is deleted.`,
      "gone",
    ],
    [
      "experiment deleted",
      400,
      "INVALID_PARAMETER_VALUE",
      "The experiment 1 must be in the 'active' state. Current state is deleted.",
      "gone",
    ],
    ["no such run", 404, "RESOURCE_DOES_NOT_EXIST", `Run with id=${RUN} not found`, "gone"],
    ["no such tag", 404, "RESOURCE_DOES_NOT_EXIST", `No tag with name: t in run with id ${RUN}`, "missing"],
    [
      "bad key",
      400,
      "INVALID_PARAMETER_VALUE",
      "Invalid value \"a*b\" for parameter 'name' supplied",
      "invalid",
    ],
    ["no permission", 403, "PERMISSION_DENIED", "no", "misconfigured"],
    ["not signed in", 401, "UNAUTHENTICATED", "no", "misconfigured"],
    ["no such endpoint", 404, "ENDPOINT_NOT_FOUND", "no", "misconfigured"],
  ])("%s", (_, status, code, message, kind) => {
    const failure = classify(WRITE, { status, headers: new Headers(), body: json(code, message) }, NOW);
    expect(failure).toMatchObject({ kind, status, code, message, retryAfterMs: null });
  });

  test("an unknown name is missing, an unknown id is gone", () => {
    const body = json("RESOURCE_DOES_NOT_EXIST", "Could not find experiment with name 'zzz'");
    expect(kindOf(BY_NAME, 404, body)).toBe("missing");
    expect(kindOf(READ, 404, body)).toBe("gone");
  });
});

describe("answers of something else", () => {
  test.each<[number, string, FailureKind, FailureKind]>([
    [302, "", "misconfigured", "misconfigured"],
    [400, html("400 Bad Request"), "misconfigured", "misconfigured"],
    [401, "You are not authenticated.", "misconfigured", "misconfigured"],
    [403, "Invalid Host header - possible DNS rebinding attack detected", "misconfigured", "misconfigured"],
    [404, html("404 Not Found"), "misconfigured", "misconfigured"],
    [405, html("405 Method Not Allowed"), "misconfigured", "misconfigured"],
    [408, "", "transient", "transient"],
    [413, html("413 Request Entity Too Large"), "invalid", "invalid"],
    [429, "slow down", "transient", "transient"],
    [500, html("500 Internal Server Error"), "ambiguous", "transient"],
    [502, html("502 Bad Gateway"), "ambiguous", "transient"],
    [503, '{"error":"upstream"}', "ambiguous", "transient"],
    [504, "", "ambiguous", "transient"],
    [524, "", "ambiguous", "transient"],
  ])("%i %s: a write is %s, a read is %s", (status, body, write, read) => {
    expect(kindOf(WRITE, status, body)).toBe(write);
    expect(kindOf(READ, status, body)).toBe(read);
  });

  test("no answer", () => {
    expect(unanswered(WRITE, "cut")).toEqual({
      kind: "ambiguous",
      status: null,
      code: null,
      message: "cut",
      retryAfterMs: null,
    });
    expect(unanswered(READ, "cut").kind).toBe("transient");
  });
});

describe("messages", () => {
  const messageOf = (status: number, body: string, clean?: (text: string) => string) =>
    classify(WRITE, { status, headers: new Headers(), body }, NOW, clean).message;

  test("HTML becomes its text", () => {
    expect(messageOf(404, html("404 Not Found"))).toBe("404 Not Found Some &amp; explanation.");
    expect(messageOf(502, "<script>var x = '<b>';</script><p>Bad   gateway")).toBe("Bad gateway");
  });
  test("an empty answer is named by its status", () => {
    expect(messageOf(502, "")).toBe("HTTP 502 without a message");
    expect(messageOf(301, "<p>moved to elsewhere")).toContain("HTTP 301");
  });
  test("at most 500 characters, cleaned before they are cut", () => {
    const body = json("BAD_REQUEST", `${"x".repeat(495)}secret`);
    expect(messageOf(400, body, (text) => text.replaceAll("secret", "*"))).toBe(`${"x".repeat(495)}*`);
    expect(messageOf(400, json("BAD_REQUEST", "x".repeat(501)))).toHaveLength(500);
    expect(failed("invalid", "x".repeat(9000)).message).toHaveLength(500);
  });
  test("Retry-After is carried along", () => {
    const headers = new Headers({ "retry-after": "3" });
    expect(classify(WRITE, { status: 503, headers, body: "" }, NOW).retryAfterMs).toBe(3000);
  });
});
