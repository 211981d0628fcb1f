import { describe, expect, test } from "vitest";
import { mlflowTarget, targetOf } from "../../scripts/lib/mlflow-target.ts";
import { unreachable } from "../../scripts/lib/reachable.ts";
import { checkMlflow } from "../../scripts/start/check-mlflow.ts";
import { parseConfig, withoutCredentials } from "../../src/config.ts";

const ENOUGH = { ADMIN_TOKEN: "a-token-of-the-relay" };

describe("a setting that cannot be meant is said with its name, its value and the rule", () => {
  test.each([
    [{ ADMIN_TOKEN: "correct horse battery staple" }, "ADMIN_TOKEN must be of letters"],
    [{ ADMIN_TOKEN: "ein-schlüssel-mit-umlaut" }, "ADMIN_TOKEN must be of letters"],
    [{ RELAY_ACCESS_AUD: "0a1b" }, "RELAY_ACCESS_TEAM is required with RELAY_ACCESS_AUD"],
    [
      { RELAY_BREAKER_PROBE_SECONDS: "300", RELAY_BREAKER_PROBE_MAX_SECONDS: "60" },
      'RELAY_BREAKER_PROBE_MAX_SECONDS must not be less than RELAY_BREAKER_PROBE_SECONDS, got "60"',
    ],
  ])("%j", (env, said) => {
    expect(() => parseConfig({ ...ENOUGH, ...env })).toThrow(said);
  });

  test.each([
    ["http://user:pass@host/x", "http://host/x"],
    ["http://user:p@ss@host/x", "http://host/x"],
    ["http://host/a@b", "http://host/a@b"],
    ["http://host?a@b", "http://host?a@b"],
    ["http://user:p#ss@host/x", "http://host/x"],
    ["http://user:p/ss@host/x", "http://host/x"],
    ["http://user:p?s@s@host/x", "http://host/x"],
    ["http:user:pass@host/x", "host/x"],
    ["user:pass@host", "host"],
  ])("nothing that an address has before its host is said: %s", (uri, said) => {
    expect(withoutCredentials(uri)).toBe(said);
  });

  test("of an address that is none because of its password nothing of that is said", () => {
    const uri = "https://somebody:hunter#2@mlflow.example.com";
    expect(() => parseConfig({ ...ENOUGH, MLFLOW_TRACKING_URI: uri })).toThrow(
      'MLFLOW_TRACKING_URI must be an http or https URL, got "https://mlflow.example.com"',
    );
    expect(unreachable(uri)).toBe('"https://mlflow.example.com" is not a URL.');
  });

  test("a secret's value is not said", () => {
    expect(() => parseConfig({ ADMIN_TOKEN: "correct horse battery staple" })).not.toThrow(/horse/);
  });
});

describe("scripts go to MLflow as the relay does", () => {
  const credentials = {
    MLFLOW_TRACKING_URI: "http://127.0.0.1:9/prefix/",
    MLFLOW_TRACKING_USERNAME: "somebody",
    MLFLOW_TRACKING_PASSWORD: "secret-of-somebody",
    MLFLOW_TRACKING_TOKEN: "a-bearer-token",
  };

  test("a user with a password wins over a token", () => {
    expect(mlflowTarget(credentials).headers.get("authorization")).toBe(
      `Basic ${btoa("somebody:secret-of-somebody")}`,
    );
  });

  test("a user without a password does not, as with MLflow's client, and alone has an empty one", () => {
    const { MLFLOW_TRACKING_PASSWORD: _, ...tokenAndUser } = credentials;
    expect(mlflowTarget(tokenAndUser).headers.get("authorization")).toBe("Bearer a-bearer-token");
    const { MLFLOW_TRACKING_TOKEN: __, ...user } = tokenAndUser;
    expect(mlflowTarget(user).headers.get("authorization")).toBe(`Basic ${btoa("somebody:")}`);
  });

  test.each([
    ["none", {}, {}, null],
    ["a file, for another training", {}, { MLFLOW_TRACKING_URI: "sqlite:///mlflow.db" }, null],
    [
      "the relay's, with its token",
      { MLFLOW_TRACKING_TOKEN: "of-mlflow" },
      { MLFLOW_TRACKING_URI: "http://127.0.0.1:8787", MLFLOW_TRACKING_TOKEN: "of-the-relay" },
      "Bearer of-mlflow",
    ],
    ["its own", {}, { MLFLOW_TRACKING_URI: "http://a:b@mlflow.test/" }, `Basic ${btoa("a:b")}`],
    ["none, with a token", {}, { MLFLOW_TRACKING_TOKEN: "of-mlflow" }, "Bearer of-mlflow"],
    ["none", { MLFLOW_TRACKING_URI: "http://a:b@mlflow.test" }, {}, `Basic ${btoa("a:b")}`],
  ])("to the relay's server, whatever address the shell has: %s", (_, local, shell, authorization) => {
    const target = targetOf("http://mlflow.test", local, shell);
    expect([target.server, target.headers.get("authorization")]).toEqual([
      "http://mlflow.test",
      authorization,
    ]);
  });

  test("what an address has before its host is neither fetched nor shown", async () => {
    const uri = "http://somebody:secret-of-somebody@127.0.0.1:9";
    const problem = await checkMlflow({ MLFLOW_TRACKING_URI: uri });
    expect(problem).toMatch(/^http:\/\/127\.0\.0\.1:9 does not answer \((?!.*credentials)/);
    expect(problem).not.toContain("secret-of-somebody");
  });
});
