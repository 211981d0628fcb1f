import type { JsonSchema } from "./components.ts";

type Node = JsonSchema | boolean;

/** Text in which backticks mark code. */
export function Text({ text }: { text: string }) {
  return <>{text.split("`").map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>;
}

/** What a value may be, in a few words, with links to the named schemas. */
export function SchemaType({ schema }: { schema: Node | undefined }) {
  if (schema === undefined || typeof schema === "boolean") return <>anything</>;
  const { $ref, anyOf, enum: words, type, items, additionalProperties, properties } = schema;
  if ($ref !== undefined) return <SchemaLink reference={$ref} />;
  if (schema.const !== undefined) return <code>{JSON.stringify(schema.const)}</code>;
  if (words !== undefined) return <Alternatives parts={words.map((word) => <code>{String(word)}</code>)} />;
  if (anyOf !== undefined && type === undefined)
    return <Alternatives parts={anyOf.map((part) => <SchemaType schema={part} />)} />;
  if (Array.isArray(type)) return <Alternatives parts={type.map((name) => <>{name}</>)} />;
  if (type === "array")
    return (
      <>
        array of <SchemaType schema={Array.isArray(items) ? items[0] : items} />
      </>
    );
  if (type === "object" && properties === undefined && additionalProperties !== undefined)
    return (
      <>
        object of <SchemaType schema={additionalProperties} />
      </>
    );
  if (schema.format === "date-time") return <>time</>;
  return <>{type ?? "anything"}</>;
}

function SchemaLink({ reference }: { reference: string }) {
  const name = nameOf(reference);
  return <a href={`#schema-${name}`}>{name}</a>;
}

/** The name of a component, from a reference to it. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

function Alternatives({ parts }: { parts: unknown[] }) {
  return <>{parts.map((part, index) => (index === 0 ? part : <> or {part}</>))}</>;
}

/** The fields of an object, nested ones by their path; of anything else what it may be. */
export function SchemaFields({ schema }: { schema: JsonSchema }) {
  if (schema.properties === undefined)
    return (
      <p>
        <SchemaType schema={schema} />
      </p>
    );
  return (
    <table>
      <thead>
        <tr>
          <th>Field</th>
          <th>Type</th>
          <th>What</th>
        </tr>
      </thead>
      <tbody>
        <FieldRows schema={schema} path="" />
      </tbody>
    </table>
  );
}

function FieldRows({ schema, path }: { schema: JsonSchema; path: string }) {
  const { properties = {}, required = [] } = schema;
  return (
    <>
      {Object.entries(properties).map(([name, field]) => {
        const inner = objectIn(field);
        return (
          <>
            <tr>
              <td>
                <code>{`${path}${name}`}</code>
                {required.includes(name) ? null : <small> optional</small>}
              </td>
              <td>
                <SchemaType schema={field} />
              </td>
              <td>{typeof field === "boolean" ? null : <Description of={field} />}</td>
            </tr>
            {inner && <FieldRows schema={inner.schema} path={`${path}${name}${inner.suffix}`} />}
          </>
        );
      })}
    </>
  );
}

/** A description, and the default if there is one. */
export function Description({ of: schema }: { of: JsonSchema }) {
  return (
    <>
      {schema.description && <Text text={schema.description} />}
      {schema.default === undefined ? null : (
        <>
          {" "}
          Default <code>{String(schema.default)}</code>.
        </>
      )}
    </>
  );
}

/** The object whose fields are shown below a field's own row: itself, an array's items, or what may be null. */
function objectIn(field: Node): { schema: JsonSchema; suffix: string } | null {
  if (typeof field === "boolean") return null;
  if (field.properties !== undefined) return { schema: field, suffix: "." };
  const inner = field.anyOf?.find((part) => typeof part !== "boolean" && part.properties !== undefined);
  if (inner !== undefined) return objectIn(inner);
  const items = field.type === "array" && !Array.isArray(field.items) ? field.items : undefined;
  const item = items === undefined ? null : objectIn(items);
  return item && { ...item, suffix: `[]${item.suffix}` };
}
