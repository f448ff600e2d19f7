// Swagger UI on the document this service gives of itself. Its badge would ask a validator elsewhere.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null, plugins: [AskHere] });

/** Requests go to where this page comes from, which may be below a path that a proxy takes away and only we here see. */
function AskHere() {
  const servers = [{ url: new URL(".", location).href }];
  const updateJsonSpec = (update) => (document) => update({ ...document, servers });
  return { statePlugins: { spec: { wrapActions: { updateJsonSpec } } } };
}
