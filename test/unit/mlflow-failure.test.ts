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

/** What follows in a message of SQLAlchemy: the statement, with values that are the caller's own. */
const STATEMENT =
  "\n[SQL: INSERT INTO tags]\n[parameters: ('UNIQUE constraint failed', 'value too long')]\n(Background on this error at: https://sqlalche.me/e/20/9h9h)";
const FLUSH =
  "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block if this flush is occurring prematurely)\n";

describe("what the database says of the values", () => {
  test.each<[string, string]>([
    [
      "PostgreSQL: too long",
      "(psycopg2.errors.StringDataRightTruncation) value too long for type character varying(250)\n",
    ],
    [
      "psycopg 3: too long",
      "(psycopg.errors.StringDataRightTruncation) value too long for type character varying(250)",
    ],
    ["while looking something up", `${FLUSH}(psycopg2.errors.StringDataRightTruncation) value too long\n`],
    ["PostgreSQL: out of range", "(psycopg2.errors.NumericValueOutOfRange) bigint out of range\n"],
    [
      "PostgreSQL: bytes",
      '(psycopg2.errors.CharacterNotInRepertoire) invalid byte sequence for encoding "UTF8": 0x00\n',
    ],
    [
      "PostgreSQL: character set",
      '(psycopg2.errors.UntranslatableCharacter) character with byte sequence 0xf0 0x9f in encoding "UTF8" has no equivalent in encoding "LATIN1"\n',
    ],
    ["psycopg 3: NUL", "(psycopg.DataError) PostgreSQL text fields cannot contain NUL (0x00) bytes"],
    ["MySQL: too long", "(pymysql.err.DataError) (1406, \"Data too long for column 'name' at row 1\")"],
    [
      "MySQL: out of range",
      "(pymysql.err.DataError) (1264, \"Out of range value for column 'step' at row 1\")",
    ],
    [
      "mysqlclient: character set",
      "(MySQLdb.OperationalError) (1366, \"Incorrect string value: '\\\\xF0' for column 'value'\")",
    ],
    [
      "SQL Server: too long",
      "(pyodbc.DataError) ('22001', '[22001] String or binary data would be truncated in table')",
    ],
    [
      "SQL Server: too long for the driver",
      "(pyodbc.ProgrammingError) ('String data, right truncation: length 600 buffer 510', 'HY000')",
    ],
    [
      "SQL Server: out of range",
      "(pyodbc.ProgrammingError) ('22003', '[22003] Arithmetic overflow error converting')",
    ],
    ["SQLite: too big", "(sqlite3.DataError) string or blob too big"],
    ["psycopg 2: NUL", "A string literal cannot contain NUL (0x00) characters."],
    [
      "Python: surrogate",
      "'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed",
    ],
    ["SQLite: integer", "Python int too large to convert to SQLite INTEGER"],
    ["SQLAlchemy: integer", "(builtins.OverflowError) Python int too large to convert to SQLite INTEGER"],
  ])("%s: the item is invalid", (_, message) => {
    for (const [status, code] of [
      [400, "BAD_REQUEST"],
      [500, "INTERNAL_ERROR"],
      [503, "TEMPORARILY_UNAVAILABLE"],
    ] as const)
      expect(kindOf(WRITE, status, json(code, message + STATEMENT))).toBe("invalid");
  });

  test.each<[string, string]>([
    ["SQLite", "(sqlite3.IntegrityError) UNIQUE constraint failed: tags.key, tags.run_uuid"],
    ["while looking something up", `${FLUSH}(sqlite3.IntegrityError) UNIQUE constraint failed: metrics.key`],
    [
      "PostgreSQL",
      '(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint "metric_pk"\nDETAIL:  Key (key)=(value too long) already exists.\n',
    ],
    ["MySQL", "(pymysql.err.IntegrityError) (1062, \"Duplicate entry 'x' for key 'PRIMARY'\")"],
    [
      "SQL Server",
      "(pyodbc.IntegrityError) ('23000', \"[23000] Violation of PRIMARY KEY constraint 'metric_pk'. Cannot insert duplicate key\")",
    ],
  ])("%s: a duplicate", (_, message) => {
    expect(kindOf(WRITE, 400, json("BAD_REQUEST", message + STATEMENT))).toBe("duplicate");
  });
});

describe("what the database says of itself", () => {
  test.each<[string, string]>([
    [
      "PostgreSQL: read only",
      "(psycopg2.errors.ReadOnlySqlTransaction) cannot execute INSERT in a read-only transaction\n",
    ],
    [
      "PostgreSQL: a table is missing",
      "(psycopg2.errors.UndefinedTable) relation \"tags\" does not exist\nLINE 1: INSERT INTO tags VALUES ('value too long for type', 'UNIQUE constraint failed')\n",
    ],
    ["PostgreSQL: a column is missing", '(psycopg2.errors.UndefinedColumn) column "x" does not exist\n'],
    [
      "PostgreSQL: no permission",
      "(psycopg2.errors.InsufficientPrivilege) permission denied for table tags\n",
    ],
    ["PostgreSQL: aborted", "(psycopg2.errors.InFailedSqlTransaction) current transaction is aborted\n"],
    [
      "PostgreSQL: no room",
      '(psycopg2.errors.DiskFull) could not extend file "base/1/2": No space left on device\n',
    ],
    [
      "PostgreSQL: statement timeout",
      "(psycopg2.errors.QueryCanceled) canceling statement due to statement timeout\n",
    ],
    [
      "PostgreSQL: lock timeout",
      "(psycopg2.errors.LockNotAvailable) canceling statement due to lock timeout\n",
    ],
    ["PostgreSQL: deadlock", "(psycopg2.errors.DeadlockDetected) deadlock detected\nDETAIL:  Process 1\n"],
    ["PostgreSQL: serialization", "(psycopg2.errors.SerializationFailure) could not serialize access\n"],
    [
      "PostgreSQL: connection lost",
      "(psycopg2.OperationalError) server closed the connection unexpectedly\n",
    ],
    [
      "PostgreSQL: the run is gone from under it",
      '(psycopg2.errors.ForeignKeyViolation) insert or update on table "metrics" violates foreign key constraint\n',
    ],
    [
      "MySQL: read only",
      "(pymysql.err.InternalError) (1290, 'The MySQL server is running with the --read-only option so it cannot execute this statement')",
    ],
    [
      "MySQL: a table is missing",
      "(pymysql.err.ProgrammingError) (1146, \"Table 'mlflow.tags' doesn't exist\")",
    ],
    [
      "MySQL: lock",
      "(pymysql.err.OperationalError) (1205, 'Lock wait timeout exceeded; try restarting transaction')",
    ],
    [
      "SQL Server: read only",
      "(pyodbc.ProgrammingError) ('42000', '[42000] Failed to update database \"mlflow\" because the database is read-only. (3906)')",
    ],
    ["SQLite: read only", "(sqlite3.OperationalError) attempt to write a readonly database"],
    ["SQLite: locked", "(sqlite3.OperationalError) database is locked"],
    ["SQLite: no room", "(sqlite3.OperationalError) database or disk is full"],
    ["SQLite: damaged", "(sqlite3.DatabaseError) database disk image is malformed"],
    [
      "SQLAlchemy: no connection",
      "QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00",
    ],
    [
      "SQLAlchemy: rolled back",
      "This Session's transaction has been rolled back due to a previous exception during flush.",
    ],
    ["unknown words", "something nobody has seen, UNIQUE constraint failed, Data too long"],
  ])("%s: it passes", (_, message) => {
    for (const [status, code] of [
      [400, "BAD_REQUEST"],
      [500, "INTERNAL_ERROR"],
      [503, "TEMPORARILY_UNAVAILABLE"],
    ] as const)
      expect(kindOf(WRITE, status, json(code, message + STATEMENT))).toBe("transient");
  });

  test("a code that is not known is nobody's word on the item", () => {
    expect(kindOf(WRITE, 400, json("SOMETHING_NEW", "no"))).toBe("misconfigured");
    expect(kindOf(WRITE, 409, json("SOMETHING_NEW", "no"))).toBe("misconfigured");
    expect(kindOf(WRITE, 500, json("SOMETHING_NEW", "no"))).toBe("transient");
  });
});

describe("answers of something else", () => {
  test.each<[number, string, FailureKind, FailureKind]>([
    [204, "", "ambiguous", "misconfigured"],
    [302, "", "ambiguous", "misconfigured"],
    [400, html("400 Bad Request"), "misconfigured", "misconfigured"],
    [401, "You are not authenticated.", "misconfigured", "misconfigured"],
    [403, "Invalid Host header - possible DNS rebinding attack detected", "misconfigured", "misconfigured"],
    [404, html("404 Not Found"), "misconfigured", "misconfigured"],
    [405, html("405 Method Not Allowed"), "misconfigured", "misconfigured"],
    [408, "", "ambiguous", "transient"],
    [409, html("409 Conflict"), "misconfigured", "misconfigured"],
    [413, html("413 Request Entity Too Large"), "invalid", "invalid"],
    [429, "slow down", "transient", "transient"],
    [460, "", "ambiguous", "transient"],
    [499, "", "ambiguous", "transient"],
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
