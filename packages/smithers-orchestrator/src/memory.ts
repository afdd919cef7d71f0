/* oxlint-disable oxc/no-barrel-file -- where authors find memory */
export { createMemoryStore, type CreateMemoryStoreOptions } from "@smooth/workflow/memory-store";
export {
  Summarizer,
  TokenLimiter,
  TtlGarbageCollector,
  type MemoryProcessor,
  type SummarizerOptions,
} from "@smooth/engine/memory/processors";
export { namespaceToString, parseNamespace } from "@smooth/engine/memory/namespace";
export type {
  Embedder,
  MemoryFact,
  MemoryMessage,
  MemoryNamespace,
  MemoryNamespaceKind,
  MemoryStore,
  MemoryThread,
  SetOptions,
} from "@smooth/engine/memory";
export type { TaskMemoryConfig } from "@smooth/engine/memory/recall";
