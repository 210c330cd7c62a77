import { approvalRoutes } from './approval-routes.ts'
import { archiveRoutes } from './archive-routes.ts'
import { checkpointRoutes } from './checkpoint-routes.ts'
import { collectionRoutes } from './collection-routes.ts'
import { contextRoutes } from './context-routes.ts'
import { eventRoute } from './event-route.ts'
import { gatewayEventRoute } from './gateway-event-route.ts'
import { gatewayHookRoutes } from './gateway-hook-route.ts'
import { gatewayRoutes } from './gateway-routes.ts'
import { gatewayScheduleRoutes } from './gateway-schedule-routes.ts'
import { importRoute } from './import-route.ts'
import { jobRoutes } from './job-routes.ts'
import { mapRoutes } from './map-routes.ts'
import { memoryRoutes } from './memory-routes.ts'
import { modelRoutes } from './model-routes.ts'
import { readingRoutes } from './reading-routes.ts'
import type { Route } from './route.ts'
import { recoveryRoutes } from './recovery-routes.ts'
import { runRoutes } from './run-routes.ts'
import { stateRoutes } from './state-routes.ts'
import { systemRoutes } from './system-routes.ts'
import { writingRoutes } from './writing-routes.ts'

/** Every route there is; the router and the document are made of this list alone. Law H1. */
export const routes: readonly Route[] = [
  ...systemRoutes,
  importRoute,
  ...collectionRoutes,
  ...writingRoutes,
  ...readingRoutes,
  ...contextRoutes,
  eventRoute,
  ...runRoutes,
  ...recoveryRoutes,
  ...approvalRoutes,
  ...checkpointRoutes,
  ...mapRoutes,
  ...archiveRoutes,
  ...memoryRoutes,
  ...modelRoutes,
  ...stateRoutes,
  ...jobRoutes,
  ...gatewayRoutes,
  ...gatewayScheduleRoutes,
  ...gatewayHookRoutes,
  gatewayEventRoute,
]
