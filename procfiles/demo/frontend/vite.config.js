import { defineConfig } from "vite";

export default defineConfig({
  // Variables with this prefix, and no others, reach the page.
  envPrefix: "PUBLIC_",
  // roadie shows this output among the other services': keep what is there.
  clearScreen: false,
});
