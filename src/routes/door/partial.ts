/** Says of an answer that MLflow may have more, which could not be asked for or which the relay has never seen. */
export const PARTIAL_HEADER = "x-relay-partial";

/** An answer of which that is so. */
export function partial(answer: object): Response {
  return Response.json(answer, { headers: { [PARTIAL_HEADER]: "true" } });
}
