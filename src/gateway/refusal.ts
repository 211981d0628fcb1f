import { SearchRefusal } from "../search/refusal.ts";

/** MLflow's error codes that the gateway uses, each with MLflow's own status for it (mlflow/exceptions.py). */
const STATUS = {
  INVALID_PARAMETER_VALUE: 400,
  BAD_REQUEST: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  RESOURCE_CONFLICT: 409,
  REQUEST_LIMIT_EXCEEDED: 429,
  INTERNAL_ERROR: 500,
  INVALID_STATE: 500,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** What MLflow's clients read of an error. */
export type RefusalBody = { error_code: ErrorCode; message: string };

/** A request that is refused as MLflow refuses it: with a code, the status that belongs to it, and a text. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: ErrorCode;
  readonly status: (typeof STATUS)[ErrorCode];

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
    this.status = STATUS[code];
  }

  get body(): RefusalBody {
    return { error_code: this.code, message: this.message };
  }
}

/** The most frequent refusal: something is wrong with what was sent. */
export function invalid(message: string): Refusal {
  return new Refusal("INVALID_PARAMETER_VALUE", message);
}

/**
 * What a search in MLflow's language comes to.
 * @throws Refusal INVALID_PARAMETER_VALUE in the words that the language refuses it with
 */
export function inItsWords<T>(search: () => T): T {
  try {
    return search();
  } catch (error) {
    if (error instanceof SearchRefusal) throw invalid(error.message);
    throw error;
  }
}
