// Signs or encrypts with npm's `jose`: one job as JSON on standard input, the token on standard output.
import { CompactEncrypt, CompactSign, importJWK } from "jose";

const job = JSON.parse(await new Response(process.stdin).text());
const text = new TextEncoder();
const key = await importJWK(job.jwk, job.header.alg);
const maker = job.kind === "sign" ? CompactSign : CompactEncrypt;
const made = new maker(text.encode(job.payload)).setProtectedHeader(job.header);
process.stdout.write(await (job.kind === "sign" ? made.sign(key) : made.encrypt(key)));
