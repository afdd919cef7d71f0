import type { AgentLike } from "@smooth/engine/task";
import type { ToolSet } from "ai";
import { sdkAgent, type SdkAgentOptions } from "./sdk-agent.ts";

export type AnthropicAgentOptions<TOOLS extends ToolSet = ToolSet> = SdkAgentOptions<TOOLS>;

/** `new AnthropicAgent({ model: "claude-sonnet-4-5", tools, instructions })`; without `apiKey`, by ANTHROPIC_API_KEY. */
export class AnthropicAgent<TOOLS extends ToolSet = ToolSet> implements AgentLike {
  readonly id: string;
  readonly tools: TOOLS | undefined;
  readonly generate: AgentLike["generate"];

  constructor(options: AnthropicAgentOptions<TOOLS>) {
    const agent = sdkAgent(options, {
      name: "anthropic",
      structured: true,
      model: async (settings, id) => (await import("@ai-sdk/anthropic")).createAnthropic(settings)(id),
    });
    this.id = agent.id;
    this.tools = agent.tools;
    this.generate = (args) => agent.generate(args);
  }
}
