import * as z from 'zod/mini';

// The content policy forbids compiling code at run time, so zod need not even try. Imported before any schema is made.
z.config({ jitless: true });
