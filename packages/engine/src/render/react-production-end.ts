import { restoreNodeEnv } from "./react-production-begin.ts";

restoreNodeEnv();
