import "server-only";
import { type Theme, THEME_COOKIE, themeOf } from "@smooth/ui/theme";
import { cookies } from "next/headers";

export const chosenTheme = async (): Promise<Theme> => themeOf((await cookies()).get(THEME_COOKIE)?.value);
