/** Names with their texts, as the trainer gave them: text, whatever it says. */
export function TrialFacts({ title, facts }: { title: string; facts: Readonly<Record<string, string>> }) {
  const entries = Object.entries(facts);
  const id = `${title.toLowerCase()}-title`;
  return (
    <section class="panel" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {entries.length === 0 ? (
        <p class="hint">None.</p>
      ) : (
        <dl class="facts tall" tabindex={0}>
          {entries.map(([name, text]) => (
            <>
              <dt>{name}</dt>
              <dd class="mono">{text}</dd>
            </>
          ))}
        </dl>
      )}
    </section>
  );
}
