/** Structured logs: Cloudflare indexes a logged object by field (a string it does not). Never pass a secret. */
export type LogFields = Record<string, string | number | boolean | null | undefined>;

export type Log = {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields that go into every line. */
  with(fields: LogFields): Log;
};

/** A log that writes objects to the console. */
export function consoleLog(base: LogFields = {}): Log {
  const line = (level: string, message: string, fields: LogFields = {}) => ({
    level,
    message,
    ...base,
    ...fields,
  });
  return {
    info: (message, fields) => console.log(line("info", message, fields)),
    warn: (message, fields) => console.warn(line("warn", message, fields)),
    error: (message, fields) => console.error(line("error", message, fields)),
    with: (fields) => consoleLog({ ...base, ...fields }),
  };
}

/** The message of whatever was thrown. Drizzle's own holds the query and its values; the why is in the cause. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
