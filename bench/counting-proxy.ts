import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A proxy that counts the calls to MLflow by endpoint and adds nothing else. */
export async function countingProxy(target: string) {
  const counts: Record<string, number> = {};
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? "").replace(/^\/api\/2\.0\/mlflow\//, "").replace(/\?.*$/, "");
    counts[path] = (counts[path] ?? 0) + 1;
    const headers = { ...incoming.headers, host: `${hostname}:${port}` };
    const forward = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forward.on("error", () => outgoing.destroy());
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    uri: `http://127.0.0.1:${(address satisfies AddressInfo).port}`,
    counts,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
