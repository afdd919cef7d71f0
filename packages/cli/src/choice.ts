/** What `--choose` and `--rank` say of an approval that offers options. */
export interface ChoiceFlags {
  readonly choose?: string;
  readonly rank?: string;
}

export const chosen = ({ choose, rank }: ChoiceFlags): { selected?: string; ranked?: string[] } => ({
  ...(choose !== undefined && { selected: choose }),
  ...(rank !== undefined && { ranked: rank.split(",").map((key) => key.trim()) }),
});
