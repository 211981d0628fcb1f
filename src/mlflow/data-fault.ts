/**
 * What a database says of a statement's own values. MLflow hands its words on: after `BAD_REQUEST` mostly, but some
 * drivers' words come as `TEMPORARILY_UNAVAILABLE` or `INTERNAL_ERROR`. Whatever is not known here is the server's
 * state: read only after a failover, a table missing in the middle of a migration, no room, no permission.
 */
export type DataFault = "duplicate" | "invalid";

/** SQLAlchemy's form: the class of the driver's error in brackets, then its words. */
const DRIVER_ERROR = /^(?:\(raised as a result of Query-invoked autoflush[^)]*\)\s*)?\(([\w.]+)\) ([^\n]*)/;

/** Classes that say it by their names: PostgreSQL's by SQLSTATE, and the one that PEP 249 gives to such errors. */
const BY_CLASS: Record<string, DataFault> = {
  DataError: "invalid",
  UniqueViolation: "duplicate",
  UniqueViolationError: "duplicate",
  StringDataRightTruncation: "invalid",
  StringDataRightTruncationError: "invalid",
  NumericValueOutOfRange: "invalid",
  NumericValueOutOfRangeError: "invalid",
  InvalidTextRepresentation: "invalid",
  InvalidTextRepresentationError: "invalid",
  CharacterNotInRepertoire: "invalid",
  CharacterNotInRepertoireError: "invalid",
  UntranslatableCharacter: "invalid",
  UntranslatableCharacterError: "invalid",
  DatetimeFieldOverflow: "invalid",
};

/** Words of the drivers whose classes are too wide: SQLite's, MySQL's and those of SQL Server. */
const BY_WORDS: readonly (readonly [RegExp, DataFault])[] = [
  [/^UNIQUE constraint failed/, "duplicate"],
  [/^duplicate key value violates unique constraint/, "duplicate"],
  [/^\(1062, /, "duplicate"],
  [/Violation of (PRIMARY|UNIQUE) KEY constraint|Cannot insert duplicate key/, "duplicate"],
  // Out of range, wrong for its column, too long, not in the column's character set.
  [/^\((1264|1366|1406|3988), /, "invalid"],
  [
    /String data, right truncation|String or binary data would be truncated|Arithmetic overflow error/,
    "invalid",
  ],
];

/** What Python says of a value that it cannot hand to the driver; it may stand alone. */
const OF_PYTHON =
  /^(?:\(builtins\.\w+\) )?(A string literal cannot contain NUL|'[\w-]+' codec can't encode|Python int too large to convert|int too (large|big) to convert|embedded null)/;

/**
 * Reads an error message of MLflow's.
 * @returns null where it does not speak of the statement's values
 */
export function dataFault(message: string): DataFault | null {
  if (OF_PYTHON.test(message)) return "invalid";
  const [, name = "", words = ""] = DRIVER_ERROR.exec(message) ?? [];
  const byClass = BY_CLASS[name.split(".").at(-1) ?? ""];
  return byClass ?? BY_WORDS.find(([pattern]) => name !== "" && pattern.test(words))?.[1] ?? null;
}
