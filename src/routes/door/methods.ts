type Route = { method: string; path: string };

const PARAMETER = /:(\w+)(?:\{([^}]*)\})?/g;

/** For each address that the routes know, the methods that it takes, as `Allow` lists them; null for any other. */
export function methodsOf(routes: readonly Route[]): (path: string) => string | null {
  // What is for all methods is middleware, and no address of its own.
  const own = routes.filter(({ method }) => method !== "ALL");
  const patterns = own.map(({ method, path }) => ({ method, pattern: patternOf(path) }));
  return (path) => {
    const taken = new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
    if (taken.size === 0) return null;
    if (taken.has("GET")) taken.add("HEAD");
    return [...taken.add("OPTIONS")].sort().join(", ");
  };
}

function patternOf(path: string): RegExp {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  let source = "";
  let from = 0;
  for (const match of path.matchAll(PARAMETER)) {
    source += `${literal(path.slice(from, match.index))}(?:${match[2] ?? "[^/]+"})`;
    from = match.index + match[0].length;
  }
  return new RegExp(`^${source}${literal(path.slice(from))}$`);
}
