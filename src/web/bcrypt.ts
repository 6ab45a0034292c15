import { ExporterError } from '../base/errors.ts';

/**
 * bcrypt's native code, loaded for whoever has users. Throws an ExporterError where there is none for this architecture: it is
 * to be called before users are accepted.
 */
export async function loadBcrypt(file?: string): Promise<{
  compare(password: string, hash: string): Promise<boolean>;
}> {
  try {
    return (await import('bcrypt')).default;
  } catch (cause) {
    throw new ExporterError(
      `${file === undefined ? '' : `${file}: `}basic_auth_users requires the native code of bcrypt, which cannot be loaded (${process.arch})`,
      { cause },
    );
  }
}
