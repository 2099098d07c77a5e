import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/vendor/", "**/swagger-ui/", "data/", "artifacts/", ".venv/", ".tools/"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-implicit-globals": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector: ":matches(AssignmentExpression[left.property.name=/^on/], Property[key.name=/^on/]) > ArrowFunctionExpression[body.type=/^(LogicalExpression|BinaryExpression|UnaryExpression|AssignmentExpression)$/]",
          message: "A handler that returns false swallows the event, so that nobody can type there: give it a body in braces.",
        },
      ],
      "no-shadow": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
  { files: ["dashboards/components/**/*.js", "dashboards/static/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["dashboards/static/shell/sw.js", "dashboards/components/uploader/hash_worker.js"], languageOptions: { globals: globals.serviceworker } },
  { files: ["tests/**/*.js", "eslint.config.js"], languageOptions: { globals: globals.node } },
  { files: ["tests/acceptance/**", "tests/dashboards/*.js"], languageOptions: { globals: globals.browser } },
];
