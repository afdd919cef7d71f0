/** Light, dark, or what the system says. The choice is a cookie, so that the server draws the page in it at once. */

export const THEME_COOKIE = "theme";
export type Theme = "system" | "light" | "dark";

export const themeOf = (text: string | undefined): Theme => (text === "light" || text === "dark" ? text : "system");
