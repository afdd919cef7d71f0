import { deps } from "~/deps.ts";

export const dynamic = "force-dynamic";

/** 200 when the database answers. */
export async function GET(): Promise<Response> {
  const { db } = await deps();
  await db.$queryRaw`SELECT 1`;
  return Response.json({ ok: true });
}
