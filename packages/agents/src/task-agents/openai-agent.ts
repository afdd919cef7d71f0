import type { AgentLike } from "@smooth/engine/task";
import type { ToolSet } from "ai";
import { sdkAgent, type SdkAgentOptions } from "./sdk-agent.ts";

export type OpenAIAgentOptions<TOOLS extends ToolSet = ToolSet> = SdkAgentOptions<TOOLS>;

/** `new OpenAIAgent({ model: "gpt-5", tools, instructions })`, on the responses API; without `apiKey`, by OPENAI_API_KEY. */
export class OpenAIAgent<TOOLS extends ToolSet = ToolSet> implements AgentLike {
  readonly id: string;
  readonly tools: TOOLS | undefined;
  readonly generate: AgentLike["generate"];

  constructor(options: OpenAIAgentOptions<TOOLS>) {
    const agent = sdkAgent(options, {
      name: "openai",
      structured: true,
      model: async (settings, id) => (await import("@ai-sdk/openai")).createOpenAI(settings)(id),
    });
    this.id = agent.id;
    this.tools = agent.tools;
    this.generate = (args) => agent.generate(args);
  }
}
