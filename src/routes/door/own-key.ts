import { remembered } from "../../remembered.ts";

/** Keys that the relay makes of ADMIN_TOKEN for itself, one for each use: a new token there makes new ones. */

const bytes = (text: string) => new TextEncoder().encode(text);

const last = remembered(() => ({ from: "", keys: new Map<string, Promise<ArrayBuffer>>() }));

/** HKDF of the admin's token for a use; those of the last token are kept. */
export function keyFrom(adminToken: string, use: string): Promise<ArrayBuffer> {
  if (last.value.from !== adminToken) last.value = { from: adminToken, keys: new Map() };
  const { keys } = last.value;
  const known = keys.get(use) ?? derive(adminToken, use);
  keys.set(use, known);
  return known;
}

async function derive(adminToken: string, use: string): Promise<ArrayBuffer> {
  const base = await crypto.subtle.importKey("raw", bytes(adminToken), "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: bytes(use) };
  return crypto.subtle.deriveBits(how, base, 256);
}

const HMAC = { name: "HMAC", hash: "SHA-256" };

/** What only the relay can say of a text: its HMAC by the key of a use, lower hex. */
export async function signed(adminToken: string, use: string, text: string): Promise<string> {
  const key = await crypto.subtle.importKey("raw", await keyFrom(adminToken, use), HMAC, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign(HMAC.name, key, bytes(text))).toHex();
}

/** Whether it was said of this text; takes as long for any other. */
export async function isSigned(
  adminToken: string,
  use: string,
  text: string,
  signature: string,
): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/.test(signature)) return false;
  const key = await crypto.subtle.importKey("raw", await keyFrom(adminToken, use), HMAC, false, ["verify"]);
  return crypto.subtle.verify(HMAC.name, key, Uint8Array.fromHex(signature), bytes(text));
}
