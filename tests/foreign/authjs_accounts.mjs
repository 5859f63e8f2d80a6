// Has Auth.js's own PostgreSQL adapter store accounts. Its argument is the URL of an empty database; standard
// input has the answers of a token endpoint, by account. The tables are those of the adapter's documentation.
import PostgresAdapter from "@auth/pg-adapter";
import pg from "pg";
import { text } from "node:stream/consumers";

const SCHEMA = `
  create table users (id serial primary key, name varchar(255), email varchar(255),
    "emailVerified" timestamptz, image text);
  create table accounts (id serial primary key, "userId" integer not null, type varchar(255) not null,
    provider varchar(255) not null, "providerAccountId" varchar(255) not null, refresh_token text,
    access_token text, expires_at bigint, id_token text, scope text, session_state text, token_type text);
`;

const pool = new pg.Pool({ connectionString: process.argv[2] });
const adapter = PostgresAdapter(pool);
await pool.query(SCHEMA);
for (const [id, answer] of Object.entries(JSON.parse(await text(process.stdin)))) {
  const user = await adapter.createUser({ name: id, email: `${id}@acme.com`, emailVerified: null });
  const { expires_in, ...tokens } = answer;
  await adapter.linkAccount({
    userId: user.id,
    type: "oidc",
    provider: "google",
    providerAccountId: id,
    expires_at: Math.floor(Date.now() / 1000) + expires_in, // as @auth/core does
    ...tokens,
  });
}
await pool.end();
