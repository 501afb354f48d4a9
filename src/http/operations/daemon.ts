import { z } from 'zod'
import type { Operation } from '../operation.ts'
import { HealthAnswer, NotReadyAnswer, OpenApiDocument, ReadyAnswer } from '../schemas.ts'

/** What is asked of the daemon itself. */
export const daemonOperations = {
  health: {
    id: 'getHealth',
    method: 'GET',
    path: '/healthz',
    scope: null,
    summary: 'Whether the process lives',
    answers: {
      200: {
        description: 'It does',
        content: { schema: HealthAnswer, example: { status: 'ok' } },
      },
    },
  },
  readiness: {
    id: 'getReadiness',
    method: 'GET',
    path: '/readyz',
    scope: null,
    summary: 'Whether the daemon can do its work',
    description: 'An upstream that is down does not make it unready.',
    answers: {
      200: {
        description: 'It can',
        content: { schema: ReadyAnswer, example: { status: 'ready' } },
      },
      503: {
        description: 'It cannot, for these reasons',
        content: {
          schema: NotReadyAnswer,
          example: { status: 'not ready', reasons: ['the daemon is stopping'] },
        },
      },
    },
  },
  page: {
    id: 'getPage',
    method: 'GET',
    path: '/',
    scope: null,
    summary: 'The page for people',
    answers: {
      200: {
        description: 'The page',
        content: { type: 'text/html', schema: z.string(), example: '<!doctype html>…' },
      },
    },
  },
  pageIcon: {
    id: 'getPageIcon',
    method: 'GET',
    path: '/favicon.svg',
    scope: null,
    summary: "The page's icon",
    answers: {
      200: {
        description: 'The icon',
        content: { type: 'image/svg+xml', schema: z.string(), example: '<svg …' },
      },
    },
  },
  pageFile: {
    id: 'getPageFile',
    method: 'GET',
    path: '/assets/{file}',
    scope: null,
    summary: 'A file that the page is made of',
    params: z.object({ file: z.string().describe('As the page names it') }),
    answers: {
      200: {
        description: 'A script or a style sheet, to be kept for good: its name tells its content',
        content: { type: 'text/*', schema: z.string(), example: '…' },
      },
    },
    problems: ['not_found'],
  },
  metrics: {
    id: 'getMetrics',
    method: 'GET',
    path: '/metrics',
    scope: 'read',
    summary: 'Metrics for Prometheus',
    answers: {
      200: {
        description: 'In its text format; all names start with jobwatch_',
        content: {
          type: 'text/plain',
          schema: z.string(),
          example:
            '# HELP jobwatch_jobs Jobs that are looked at and have not ended\n' +
            '# TYPE jobwatch_jobs gauge\njobwatch_jobs{upstream="prod",state="active"} 3\n',
        },
      },
    },
  },
  openapi: {
    id: 'getOpenApi',
    method: 'GET',
    path: '/openapi.json',
    scope: 'read',
    summary: 'This document',
    answers: {
      200: {
        description: 'OpenAPI 3.1',
        content: { schema: OpenApiDocument, example: { openapi: '3.1.1' } },
      },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>
