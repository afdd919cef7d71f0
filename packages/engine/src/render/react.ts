/** The engine's one copy of React and its reconciler. The order of these imports is the mechanism: see react-production-begin.ts. */
import "./react-production-begin.ts";
import * as React from "react";
import "./react-production-check.ts";
import * as JsxRuntime from "react/jsx-runtime";
import createReconciler from "react-reconciler";
import { ConcurrentRoot, DiscreteEventPriority, NoEventPriority } from "react-reconciler/constants.js";
import "./react-production-end.ts";

export { React, JsxRuntime, createReconciler, ConcurrentRoot, DiscreteEventPriority, NoEventPriority };
