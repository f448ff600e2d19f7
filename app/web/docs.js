// Swagger UI on the document this service gives of itself. Its badge would ask a validator elsewhere.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
