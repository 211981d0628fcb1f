import { env } from "cloudflare:workers";

const NO_HEADERS = new Headers();

/** What asks in the place of D1's own session: Miniflare's, as it was before. */
let miniflares: object | undefined;

/** Has D1's own client ask the database of the tests in place of Miniflare's. */
export function useTestDatabase(): void {
  const fetch = async (url: string, { body }: { body: string }) => {
    const server = env.TEST_DATABASE.getByName("the only one");
    const text = await server.query(body, url.endsWith("=ROWS_AND_COLUMNS"));
    return { headers: NO_HEADERS, text: async () => text };
  };
  const session = sessionOfClient();
  miniflares ??= session.fetcher;
  session.fetcher = { fetch };
}

/** Has it ask Miniflare's database meanwhile. */
export async function withMiniflares<T>(work: () => Promise<T>): Promise<T> {
  const session = sessionOfClient();
  const { fetcher } = session;
  if (miniflares === undefined) throw new Error("Miniflare's database was not replaced");
  session.fetcher = miniflares;
  try {
    return await work();
  } finally {
    session.fetcher = fetcher;
  }
}

function sessionOfClient(): { fetcher: object } {
  const session: unknown = Reflect.get(env.DB, "alwaysPrimarySession");
  if (!hasFetcher(session)) throw new Error("D1's client does not ask by its session's fetcher any more");
  return session;
}

function hasFetcher(session: unknown): session is { fetcher: object } {
  return typeof session === "object" && session !== null && "fetcher" in session;
}
