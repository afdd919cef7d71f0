/* oxlint-disable oxc/no-barrel-file -- where authors find the agent for tests and offline examples */
export {
  scriptedAgent,
  ScriptedReply,
  type ScriptedAgentOptions,
  type ScriptedAnswer,
  type ScriptedAsk,
  type ScriptedTool,
  type ScriptedUsage,
} from "@smooth/agents/scripted-agent";
