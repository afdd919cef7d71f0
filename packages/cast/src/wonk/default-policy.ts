import { assertNever } from "@smooth/protocol/errors";
import { Policy } from "./policy.ts";

/** The policy an operator gets when its pearl brings none. */

export interface DefaultPolicyOptions {
  /** Where the repository is, as the operator sees it. */
  readonly repoRoot: string;
  readonly pearlId?: string;
  /** `coding` changes files and runs commands; `research` and `review` only look. */
  readonly task?: "coding" | "research" | "review";
}

/** Nobody reads or writes these through a tool. */
const SECRETS = [
  ".env",
  "*.env",
  ".env.local",
  ".env.production",
  "*.pem",
  "*.key",
  "*.p12",
  "*.pfx",
  "id_rsa*",
  "id_ed25519*",
  "id_ecdsa*",
  ".ssh",
  ".aws",
  ".gnupg",
  ".netrc",
  ".git-credentials",
  ".docker/config.json",
  ".kube/config",
  ".config/gcloud",
  ".config/gh",
  ".pypirc",
  ".smooth/providers.json",
  "credentials",
  ...["json", "toml", "yaml", "yml", "ini", "xml", "csv"].map((end) => `credentials.${end}`),
];
/** Code that would run later, outside the sandbox, on the user's machine. */
const LATER_CODE = [
  ".git/hooks",
  ".git/config",
  ".git/info/attributes",
  ".gitconfig",
  ".bashrc",
  ".bash_profile",
  ".profile",
  ".zshrc",
  ".zshenv",
  ".zprofile",
];
const WATCHED = [
  ".mcp.json",
  ".claude",
  ".vscode",
  ".idea",
  ".smooth",
  ".github/workflows",
  ".gitlab-ci.yml",
  ".circleci",
  "Jenkinsfile",
  "azure-pipelines.yml",
  ".gitattributes",
  ".gitmodules",
  ".npmrc",
  ".envrc",
];

export function defaultPolicy({ repoRoot, pearlId, task = "coding" }: DefaultPolicyOptions): Policy {
  return Policy.parse({
    metadata: { name: `default-${task}`, ...(pearlId === undefined ? {} : { pearl_id: pearlId }) },
    network: { default: "ask" },
    filesystem: {
      deny_patterns: SECRETS,
      ask_patterns: [".env.*"],
      write_deny_patterns: LATER_CODE,
      write_ask_patterns: WATCHED,
      readable: ["/**"],
      writable: task === "coding" ? [`${repoRoot}/**`, "/tmp/**"] : [],
    },
    ...abilities(task),
    pearls: { accessible: pearlId === undefined ? [] : [pearlId] },
  });
}

function abilities(task: "coding" | "research" | "review"): Record<string, unknown> {
  switch (task) {
    case "coding":
      // `*` is a rule like any other: hazards and protected files still ask or deny (C2, C3), and the sandbox holds the rest.
      return {
        tools: { allow: ["read", "write", "edit", "grep", "bash", "list", "glob"] },
        commands: { default: "ask", allow: ["*"] },
      };
    case "research":
    case "review":
      return {
        tools: { allow: ["read", "grep", "bash", "list", "glob"], deny: ["write", "edit"] },
        commands: {
          default: "deny",
          allow: [
            "ls *",
            "ls",
            "pwd",
            "cat *",
            "head *",
            "tail *",
            "wc *",
            "grep *",
            "git status",
            "git log",
            "git log --oneline",
            "git diff",
            "git show",
            "git blame *",
          ],
        },
      };
    default:
      return assertNever(task);
  }
}
