#!/usr/bin/env node
/** gatectl, the technician's command line. */
import { runCli } from './cli/program.js';

process.exitCode = await runCli(process.argv.slice(2));
