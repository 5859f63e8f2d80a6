/** A text that is shown only where `reveal()` asks for it: not by console.log, JSON or a template. */

const SHOWN = "Secret(***)";

export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: every use can be found by searching for this word. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return SHOWN;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return SHOWN;
  }
}

/** An answer some of whose fields are secrets. */
export type Hiding<T, Field extends keyof T> = Omit<T, Field> & {
  [F in Field]: T[F] extends string ? Secret : Secret | null;
};

/** Returns the answer with these fields as secrets. */
export function hiding<T extends object, Field extends keyof T>(
  answer: T,
  ...fields: Field[]
): Hiding<T, Field> {
  const hidden = fields.map((field) => {
    const text = answer[field];
    return [field, typeof text === "string" ? new Secret(text) : null];
  });
  return { ...answer, ...Object.fromEntries(hidden) } as Hiding<T, Field>;
}
