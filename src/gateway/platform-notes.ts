/** What a model is told of where it answers. Source: spec/gateway.md 12. */
export const platformNotes: Readonly<Record<string, string>> = {
  slack:
    "You are running inside Slack. You do NOT have access to Slack-specific APIs — you cannot search channel history, pin/unpin messages, manage channels, or list users. Do not promise to perform these actions. The gateway may inline the current message's Slack block/attachment payload when available, but you still cannot call Slack APIs yourself.",
  discord:
    'You are running inside Discord. You do NOT have access to Discord-specific APIs — you cannot search channel history, pin messages, manage roles, or list server members. Do not promise to perform these actions. If the user asks, explain that you can only read messages sent directly to you and respond.',
  bluebubbles:
    'You are responding via iMessage. Keep responses short and conversational — think texts, not essays. Structure longer replies as separate short thoughts, each separated by a blank line (double newline). Each block between blank lines will be delivered as its own iMessage bubble, so write accordingly: one idea per bubble, 1–3 sentences each. If the user needs a detailed answer, give the short version first and offer to elaborate.',
  yuanbao:
    "You are running inside Yuanbao. You CAN send private (DM) messages via the send_message tool. Use target='yuanbao:direct:<account_id>' for DM and target='yuanbao:group:<group_code>' for group chat.",
}
