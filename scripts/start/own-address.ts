const HERE = new Set(["127.0.0.1", "localhost", "[::1]", "0.0.0.0"]);

/**
 * Whether an address of MLflow's is that of the relay which is to start at a port: a shell that has been set up for a
 * training says so, and the relay would bring to itself what it has.
 */
export function isOwnAddress(trackingUri: string, relayPort: number): boolean {
  if (!URL.canParse(trackingUri)) return false;
  const { hostname, port, protocol } = new URL(trackingUri);
  const usual = protocol === "https:" ? 443 : 80;
  return HERE.has(hostname) && Number(port || usual) === relayPort;
}
