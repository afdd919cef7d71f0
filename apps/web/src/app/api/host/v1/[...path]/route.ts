import { handleHostRequest } from "@smooth/api/host-sync";
import { deps } from "~/deps.ts";

export const dynamic = "force-dynamic";

const handler = async (request: Request): Promise<Response> => handleHostRequest(request, await deps());
export { handler as GET, handler as POST };
