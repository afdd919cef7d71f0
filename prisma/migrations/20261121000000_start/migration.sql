-- CreateEnum
CREATE TYPE "Role" AS ENUM ('viewer', 'steerer', 'approver', 'owner');

-- CreateEnum
CREATE TYPE "PearlStatus" AS ENUM ('open', 'in_progress', 'closed', 'deferred');

-- CreateEnum
CREATE TYPE "PearlType" AS ENUM ('task', 'bug', 'feature', 'epic', 'chore');

-- CreateEnum
CREATE TYPE "RunStatus" AS ENUM ('queued', 'running', 'paused', 'waiting', 'finished', 'failed', 'cancelled');

-- CreateEnum
CREATE TYPE "AskStatus" AS ENUM ('pending', 'decided', 'expired', 'void');

-- CreateEnum
CREATE TYPE "CommandState" AS ENUM ('sent', 'delivered', 'consumed', 'failed', 'expired');

-- CreateTable
CREATE TABLE "User" (
    "id" TEXT NOT NULL,
    "name" TEXT,
    "email" TEXT NOT NULL,
    "emailVerified" TIMESTAMP(3),
    "image" TEXT,
    "sessionsSinceMs" DOUBLE PRECISION NOT NULL DEFAULT 0,

    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Account" (
    "userId" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "providerAccountId" TEXT NOT NULL,
    "refresh_token" TEXT,
    "access_token" TEXT,
    "expires_at" INTEGER,
    "token_type" TEXT,
    "scope" TEXT,
    "id_token" TEXT,
    "session_state" TEXT,

    CONSTRAINT "Account_pkey" PRIMARY KEY ("provider","providerAccountId")
);

-- CreateTable
CREATE TABLE "Session" (
    "sessionToken" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "expires" TIMESTAMP(3) NOT NULL
);

-- CreateTable
CREATE TABLE "VerificationToken" (
    "identifier" TEXT NOT NULL,
    "token" TEXT NOT NULL,
    "expires" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "VerificationToken_pkey" PRIMARY KEY ("identifier","token")
);

-- CreateTable
CREATE TABLE "Org" (
    "id" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "createdAtMs" DOUBLE PRECISION NOT NULL,
    "auditN" INTEGER NOT NULL DEFAULT 0,
    "auditHash" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "Org_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Membership" (
    "orgId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "role" "Role" NOT NULL,
    "createdAtMs" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "Membership_pkey" PRIMARY KEY ("orgId","userId")
);

-- CreateTable
CREATE TABLE "Host" (
    "id" TEXT NOT NULL,
    "orgId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "publicKeyX" TEXT NOT NULL,
    "thumbprint" TEXT NOT NULL,
    "pairedAtMs" DOUBLE PRECISION NOT NULL,
    "pairedBy" TEXT NOT NULL,
    "lastSeq" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "lastN" INTEGER NOT NULL DEFAULT 0,
    "status" TEXT,
    "lastSeenAtMs" DOUBLE PRECISION,
    "streamId" TEXT,
    "onlineUntilMs" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "revokedAtMs" DOUBLE PRECISION,

    CONSTRAINT "Host_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "PairingCode" (
    "codeHash" TEXT NOT NULL,
    "orgId" TEXT NOT NULL,
    "createdBy" TEXT NOT NULL,
    "expiresAtMs" DOUBLE PRECISION NOT NULL,
    "usedAtMs" DOUBLE PRECISION,

    CONSTRAINT "PairingCode_pkey" PRIMARY KEY ("codeHash")
);

-- CreateTable
CREATE TABLE "SpentToken" (
    "hostId" TEXT NOT NULL,
    "jti" TEXT NOT NULL,
    "expiresAtMs" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "SpentToken_pkey" PRIMARY KEY ("hostId","jti")
);

-- CreateTable
CREATE TABLE "Command" (
    "hostId" TEXT NOT NULL,
    "n" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "orgId" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "state" "CommandState" NOT NULL DEFAULT 'sent',
    "issuedAtMs" DOUBLE PRECISION NOT NULL,
    "expiresAtMs" DOUBLE PRECISION,
    "deliveredAtMs" DOUBLE PRECISION,
    "settledAtMs" DOUBLE PRECISION,
    "errorCode" TEXT,
    "errorMessage" TEXT,
    "runId" TEXT,
    "pearlId" TEXT,
    "askId" TEXT,

    CONSTRAINT "Command_pkey" PRIMARY KEY ("hostId","n")
);

-- CreateTable
CREATE TABLE "Slug" (
    "name" TEXT NOT NULL,
    "orgId" TEXT NOT NULL,
    "hostId" TEXT NOT NULL,
    "claimedAtMs" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "Slug_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "Pearl" (
    "orgId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "hostId" TEXT,
    "title" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "status" "PearlStatus" NOT NULL,
    "priority" INTEGER NOT NULL,
    "type" "PearlType" NOT NULL,
    "labels" TEXT[],
    "repo" TEXT NOT NULL,
    "verify" TEXT,
    "budgetUsd" DOUBLE PRECISION,
    "createdAtMs" DOUBLE PRECISION NOT NULL,
    "updatedAtMs" DOUBLE PRECISION NOT NULL,
    "closedAtMs" DOUBLE PRECISION,

    CONSTRAINT "Pearl_pkey" PRIMARY KEY ("orgId","id")
);

-- CreateTable
CREATE TABLE "Dependency" (
    "orgId" TEXT NOT NULL,
    "fromId" TEXT NOT NULL,
    "toId" TEXT NOT NULL,
    "type" TEXT NOT NULL,

    CONSTRAINT "Dependency_pkey" PRIMARY KEY ("orgId","fromId","toId","type")
);

-- CreateTable
CREATE TABLE "Comment" (
    "orgId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "pearlId" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "atMs" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "Comment_pkey" PRIMARY KEY ("orgId","id")
);

-- CreateTable
CREATE TABLE "Change" (
    "key" SERIAL NOT NULL,
    "orgId" TEXT NOT NULL,
    "pearlId" TEXT NOT NULL,
    "field" TEXT NOT NULL,
    "before" TEXT,
    "after" TEXT,
    "by" TEXT NOT NULL,
    "atMs" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "Change_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "Run" (
    "orgId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "hostId" TEXT NOT NULL,
    "pearlId" TEXT,
    "title" TEXT NOT NULL,
    "workflow" TEXT NOT NULL,
    "status" "RunStatus" NOT NULL,
    "reason" TEXT,
    "demo" BOOLEAN NOT NULL DEFAULT false,
    "costUsd" DOUBLE PRECISION,
    "startedAtMs" DOUBLE PRECISION NOT NULL,
    "updatedAtMs" DOUBLE PRECISION NOT NULL,
    "lastSeq" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "Run_pkey" PRIMARY KEY ("orgId","id")
);

-- CreateTable
CREATE TABLE "RunEvent" (
    "orgId" TEXT NOT NULL,
    "runId" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "body" TEXT NOT NULL,

    CONSTRAINT "RunEvent_pkey" PRIMARY KEY ("orgId","runId","seq")
);

-- CreateTable
CREATE TABLE "Ask" (
    "orgId" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "hostId" TEXT NOT NULL,
    "runId" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "status" "AskStatus" NOT NULL,
    "body" TEXT NOT NULL,
    "openedAtMs" DOUBLE PRECISION NOT NULL,
    "expiresAtMs" DOUBLE PRECISION,
    "commandId" TEXT,

    CONSTRAINT "Ask_pkey" PRIMARY KEY ("orgId","id")
);

-- CreateTable
CREATE TABLE "AuditEntry" (
    "orgId" TEXT NOT NULL,
    "n" INTEGER NOT NULL,
    "atMs" DOUBLE PRECISION NOT NULL,
    "actor" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "details" TEXT NOT NULL,
    "hash" TEXT NOT NULL,

    CONSTRAINT "AuditEntry_pkey" PRIMARY KEY ("orgId","n")
);

-- CreateIndex
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");

-- CreateIndex
CREATE UNIQUE INDEX "Session_sessionToken_key" ON "Session"("sessionToken");

-- CreateIndex
CREATE UNIQUE INDEX "VerificationToken_token_key" ON "VerificationToken"("token");

-- CreateIndex
CREATE UNIQUE INDEX "Org_slug_key" ON "Org"("slug");

-- CreateIndex
CREATE INDEX "Membership_userId_idx" ON "Membership"("userId");

-- CreateIndex
CREATE UNIQUE INDEX "Host_orgId_thumbprint_key" ON "Host"("orgId", "thumbprint");

-- CreateIndex
CREATE INDEX "SpentToken_expiresAtMs_idx" ON "SpentToken"("expiresAtMs");

-- CreateIndex
CREATE UNIQUE INDEX "Command_id_key" ON "Command"("id");

-- CreateIndex
CREATE INDEX "Command_orgId_runId_idx" ON "Command"("orgId", "runId");

-- CreateIndex
CREATE INDEX "Command_orgId_pearlId_idx" ON "Command"("orgId", "pearlId");

-- CreateIndex
CREATE INDEX "Command_state_expiresAtMs_idx" ON "Command"("state", "expiresAtMs");

-- CreateIndex
CREATE INDEX "Slug_hostId_idx" ON "Slug"("hostId");

-- CreateIndex
CREATE INDEX "Pearl_orgId_status_priority_createdAtMs_idx" ON "Pearl"("orgId", "status", "priority", "createdAtMs");

-- CreateIndex
CREATE INDEX "Dependency_orgId_toId_idx" ON "Dependency"("orgId", "toId");

-- CreateIndex
CREATE INDEX "Comment_orgId_pearlId_atMs_idx" ON "Comment"("orgId", "pearlId", "atMs");

-- CreateIndex
CREATE INDEX "Change_orgId_pearlId_key_idx" ON "Change"("orgId", "pearlId", "key");

-- CreateIndex
CREATE INDEX "Run_orgId_startedAtMs_idx" ON "Run"("orgId", "startedAtMs");

-- CreateIndex
CREATE INDEX "Run_orgId_pearlId_idx" ON "Run"("orgId", "pearlId");

-- CreateIndex
CREATE INDEX "Ask_orgId_status_openedAtMs_idx" ON "Ask"("orgId", "status", "openedAtMs");

-- AddForeignKey
ALTER TABLE "Account" ADD CONSTRAINT "Account_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Session" ADD CONSTRAINT "Session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Membership" ADD CONSTRAINT "Membership_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Membership" ADD CONSTRAINT "Membership_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Host" ADD CONSTRAINT "Host_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "PairingCode" ADD CONSTRAINT "PairingCode_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Command" ADD CONSTRAINT "Command_hostId_fkey" FOREIGN KEY ("hostId") REFERENCES "Host"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Command" ADD CONSTRAINT "Command_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Slug" ADD CONSTRAINT "Slug_hostId_fkey" FOREIGN KEY ("hostId") REFERENCES "Host"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Slug" ADD CONSTRAINT "Slug_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Pearl" ADD CONSTRAINT "Pearl_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Dependency" ADD CONSTRAINT "Dependency_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Comment" ADD CONSTRAINT "Comment_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Change" ADD CONSTRAINT "Change_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "RunEvent" ADD CONSTRAINT "RunEvent_orgId_runId_fkey" FOREIGN KEY ("orgId", "runId") REFERENCES "Run"("orgId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Ask" ADD CONSTRAINT "Ask_orgId_runId_fkey" FOREIGN KEY ("orgId", "runId") REFERENCES "Run"("orgId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "AuditEntry" ADD CONSTRAINT "AuditEntry_orgId_fkey" FOREIGN KEY ("orgId") REFERENCES "Org"("id") ON DELETE CASCADE ON UPDATE CASCADE;


