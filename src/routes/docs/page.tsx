import { raw } from "hono/html";
import type { OpenApiDocument } from "./document.ts";
import { Operation } from "./page-operation.tsx";
import { SchemaFields, Text } from "./page-schema.tsx";
import { STYLE } from "./style.ts";

/** The document as a page: plain HTML, without a script, that loads nothing. */
export function docsPage(api: OpenApiDocument, origin: string) {
  const groups = groupsOf(api);
  const schemas = Object.entries(api.components.schemas);
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${api.info.title}: API`}</title>
        <style>{raw(STYLE)}</style>
      </head>
      <body>
        <nav aria-label="Contents">
          <p class="title">{api.info.title}</p>
          {groups.map(({ name, anchor, operations }) => (
            <>
              <a class="group" href={`#${anchor}`}>
                {name}
              </a>
              {operations.map(({ method, operation }) => (
                <a href={`#${operation.operationId}`}>
                  <span class={`method ${method}`}>{method}</span> {operation.summary}
                </a>
              ))}
            </>
          ))}
          <a class="group" href="#schemas">
            Schemas
          </a>
        </nav>
        <main>
          <h1>{`${api.info.title} API`}</h1>
          <p>
            <Text text={api.info.description} />
          </p>
          <p>
            <Text text={api.components.securitySchemes.bearer.description} /> The commands below take it from{" "}
            <code>RELAY_TOKEN</code>; a click selects the whole command. The same as{" "}
            <a href="/openapi.json">OpenAPI {api.openapi}</a>.
          </p>
          {groups.map(({ name, anchor, description, operations }) => (
            <section id={anchor}>
              <h2>{name}</h2>
              <p>
                <Text text={description} />
              </p>
              {operations.map((entry) => (
                <Operation api={api} origin={origin} {...entry} />
              ))}
            </section>
          ))}
          <section id="schemas">
            <h2>Schemas</h2>
            {schemas.map(([name, schema]) => (
              <article id={`schema-${name}`}>
                <h3>
                  <a href={`#schema-${name}`}>{name}</a>
                </h3>
                {schema.description && (
                  <p>
                    <Text text={schema.description} />
                  </p>
                )}
                <SchemaFields schema={schema} />
              </article>
            ))}
          </section>
        </main>
      </body>
    </html>
  );
}

/** The operations under the tags of the document, in its order. */
function groupsOf(api: OpenApiDocument) {
  const all = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  return api.tags.map(({ name, description }) => ({
    name,
    description,
    anchor: name.toLowerCase().replace(/[^a-z]+/g, "-"),
    operations: all.filter(({ operation }) => operation.tags.includes(name)),
  }));
}
